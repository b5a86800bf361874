//! `peapod peers`.

use std::io::Write;

use crate::app::Context;
use crate::app::status::Peers;
use crate::cli::session::Session;
use crate::cli::style::{plain, short, time};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args, session: &Session) -> Result<()> {
    let done = session.run(Context::without_instance()?, Peers {}).await?;
    session.text(|page| {
        if done.peers.is_empty() {
            writeln!(page, "no peers yet")?;
        }
        for peer in &done.peers {
            let paint = page.paint;
            let state = if peer.connected { paint.green("connected") } else { paint.dim("away     ") };
            let name = peer.member.as_deref().map_or_else(|| "no member".to_owned(), plain);
            let heard = peer.heard.as_deref().map(|heard| format!("  heard {}", time(heard))).unwrap_or_default();
            let address = peer.address.as_deref().map(plain).unwrap_or_default();
            writeln!(page, "{state}  {name}  {}  {address}{heard}", short(&peer.key))?;
        }
        Ok(())
    })
}
