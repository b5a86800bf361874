//! Gossip: hints that reach every connected member within milliseconds.
//!
//! Nothing rests on them. A message is known by its content, is checked by the node before it is passed on, and carries
//! its own signature inside; gossipsub adds none.

use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};

use crate::error::{Error, Result};
use crate::limits;

/// gossipsub as peapod uses it: content ids, validation by the node, bounded messages.
pub(super) fn behaviour() -> Result<gossipsub::Behaviour> {
    let failed = |error: &dyn std::fmt::Display| Error::failed(format!("can't set up gossip: {error}"));
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(blake3::hash(&message.data).as_bytes()))
        .max_transmit_size(limits::GOSSIP)
        .build()
        .map_err(|error| failed(&error))?;
    gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).map_err(|error| failed(&error))
}

/// The topic of a team. Its name says nothing about the team to who does not know its id.
pub(super) fn topic(team: &[u8]) -> IdentTopic {
    IdentTopic::new(hex::encode(blake3::derive_key("peapod 2026 gossip topic v1", team)))
}
