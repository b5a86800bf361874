//! Where a node listens: where it is told to, or on ports of its own that stay the same, since teammates and invites
//! remember them.

use std::sync::Arc;

use crate::error::{Context, Result};
use crate::net::{Backend, Config, Multiaddr, Net, parse_address};
use crate::store::{Store, Table, Write};

/// [`Table::Settings`]: the ports of the last start, TCP and UDP.
const PORTS: &[u8] = b"ports";

/// Starts the network on `listen`; when that is empty, on every interface with the ports of the last time, or with new
/// ones if those are taken. `config` makes the rest of the configuration.
pub async fn start(
    store: &Store,
    listen: &[String],
    config: impl Fn(Vec<Multiaddr>) -> Config,
    backend: Arc<dyn Backend>,
) -> Result<Net> {
    if !listen.is_empty() {
        let listen = listen.iter().map(|text| parse_address(text)).collect::<Result<_>>()?;
        return Net::start(config(listen), backend).await;
    }
    let last = store.read(Table::Settings, PORTS)?.and_then(|bytes| postcard::from_bytes(&bytes).ok());
    let net = match last {
        Some(ports) => match Net::start(config(everywhere(ports)?), backend.clone()).await {
            Ok(net) => net,
            Err(error) => {
                tracing::info!(error = error.chain(), "the ports of the last time are taken");
                Net::start(config(everywhere((0, 0))?), backend).await?
            }
        },
        None => Net::start(config(everywhere((0, 0))?), backend).await?,
    };
    let ports = (port(&net, "tcp"), port(&net, "udp"));
    if last != Some(ports) {
        let bytes = postcard::to_stdvec(&ports).context("can't encode the ports")?;
        store.update(&[Write::Put(Table::Settings, PORTS.to_vec(), bytes)])?;
    }
    Ok(net)
}

fn everywhere((tcp, udp): (u16, u16)) -> Result<Vec<Multiaddr>> {
    let addresses = [format!("/ip4/0.0.0.0/tcp/{tcp}"), format!("/ip4/0.0.0.0/udp/{udp}/quic-v1")];
    addresses.iter().map(|text| parse_address(text)).collect()
}

/// The port that it listens on with that protocol; 0 if it does not.
fn port(net: &Net, protocol: &str) -> u16 {
    let port = |address: &Multiaddr| {
        let text = address.to_string();
        let mut parts = text.split('/').skip_while(|part| *part != protocol);
        parts.nth(1)?.parse().ok()
    };
    net.listening().iter().find_map(port).unwrap_or(0)
}
