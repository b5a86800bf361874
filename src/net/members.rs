//! A libp2p behaviour that only members ever meet.
//!
//! gossipsub talks to whoever is connected and subscribes. [`Members`] stands around it and hides the connections of
//! strangers: their connection gets a handler that does nothing, and the behaviour inside never hears of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};

use super::{Backend, Standing, identity};
use crate::error::Error;
use crate::limits;

/// `B`, for members only; also the gate that refuses removed members and strangers beyond their number.
pub(super) struct Members<B> {
    inner: B,
    backend: Arc<dyn Backend>,
    strangers: HashSet<ConnectionId>,
}

impl<B> Members<B> {
    pub(super) fn new(inner: B, backend: Arc<dyn Backend>) -> Self {
        Members { inner, backend, strangers: HashSet::new() }
    }

    pub(super) fn inner(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Whether the connection is to be shown to the behaviour inside; an error when it is to be closed at once.
    fn admit(&mut self, connection: ConnectionId, peer: &PeerId, inbound: bool) -> Result<bool, ConnectionDenied> {
        let author = identity::author_of(peer)
            .ok_or_else(|| ConnectionDenied::new(Error::denied("a peer whose key is not ed25519")))?;
        match self.backend.standing(&author) {
            Standing::Member => Ok(true),
            Standing::Removed => Err(ConnectionDenied::new(Error::denied("no longer in the team"))),
            Standing::Stranger if inbound && self.strangers.len() >= limits::CONNECTIONS_STRANGER => {
                Err(ConnectionDenied::new(Error::denied("too many strangers")))
            }
            Standing::Stranger => {
                self.strangers.insert(connection);
                Ok(false)
            }
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Members<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.admit(connection, &peer, true)? {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(connection, peer, local, remote).map(Either::Left)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.admit(connection, &peer, false)? {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port).map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        let connection = match &event {
            FromSwarm::ConnectionEstablished(event) => Some(event.connection_id),
            FromSwarm::ConnectionClosed(event) => Some(event.connection_id),
            FromSwarm::AddressChange(event) => Some(event.connection_id),
            FromSwarm::DialFailure(event) => Some(event.connection_id),
            FromSwarm::ListenFailure(event) => Some(event.connection_id),
            _ => None,
        };
        if !connection.is_some_and(|connection| self.strangers.contains(&connection)) {
            return self.inner.on_swarm_event(event);
        }
        let ended =
            matches!(event, FromSwarm::ConnectionClosed(_) | FromSwarm::DialFailure(_) | FromSwarm::ListenFailure(_));
        if let (true, Some(connection)) = (ended, connection) {
            self.strangers.remove(&connection);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, connection, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx).map(|event| event.map_in(Either::Left))
    }
}
