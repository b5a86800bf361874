//! Emptying an instance.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;

use super::client::Client;
use super::quirks::Emulator;
use super::request::Method;
use crate::core::address::Address;
use crate::core::content::{ContentReader, ContentRef, ContentWriter, Contents};
use crate::core::name::Name;
use crate::core::record::{Body, Record};
use crate::core::select::Selector;
use crate::core::version::Skip;
use crate::error::{Error, Result};
use crate::instance::{Instance, Sink, Step};

/// By the emulator's own reset where it has one, else by deleting every resource that a capture finds.
pub(super) async fn reset(client: &Client, emulator: Emulator, instance: &dyn Instance) -> Result<()> {
    let path = match emulator {
        Emulator::Moto => "/moto-api/reset",
        Emulator::Ministack => "/_ministack/reset",
        Emulator::Fakecloud => "/_reset",
        Emulator::LocalStack | Emulator::Other => return delete_all(instance).await,
    };
    client.plain(Method::POST, path, Some(Bytes::new())).await?;
    Ok(())
}

async fn delete_all(instance: &dyn Instance) -> Result<()> {
    let found = Found::default();
    instance.capture(&Selector::all(), &found).await?;
    let mut found: Vec<_> = found.resources.into_inner().unwrap_or_default().into_iter().collect();
    found.sort_by_key(|(address, _)| std::cmp::Reverse(instance.stage(address)));
    let mut first = None;
    for (address, record) in found {
        let step = Step { address, before: Some(record), after: None, paused: false };
        if let Err(error) = instance.apply(&step, &Nothing).await {
            tracing::warn!(address = %step.address, error = %error.chain(), "not deleted");
            first.get_or_insert(error);
        }
    }
    match first {
        None => Ok(()),
        Some(error) => Err(Error::failed("not everything could be deleted").because(error)),
    }
}

/// Gathers resources and wants none of their items: they go with their owners.
#[derive(Default)]
struct Found {
    resources: Mutex<BTreeMap<Address, Record>>,
}

impl Sink for Found {
    fn wants(&self, address: &Address) -> bool {
        address.owner().is_none()
    }

    fn record(&self, address: Address, record: Record) -> Result<()> {
        if self.wants(&address)
            && let Ok(mut resources) = self.resources.lock()
        {
            resources.insert(address, record);
        }
        Ok(())
    }

    fn skip(&self, _: Skip) {}

    fn mark(&self, _: &Address, _: &str) {}

    fn withholds_body(&self, _: &Address) -> bool {
        false
    }

    fn contents(&self) -> &dyn Contents {
        &Nothing
    }

    fn known_body(&self, _: &Address, _: &str) -> Option<Body> {
        None
    }

    fn remember_body(&self, _: &Address, _: &str, _: &Body) {}
}

/// Takes contents and keeps none of them.
struct Nothing;

struct Count(u64);

impl ContentWriter for Count {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<ContentRef> {
        Ok(ContentRef { root: Name([0; 32]), level: 0, size: self.0 })
    }
}

impl Contents for Nothing {
    fn write_content(&self) -> Box<dyn ContentWriter> {
        Box::new(Count(0))
    }

    fn read_content(&self, _: &ContentRef) -> ContentReader {
        Box::new(std::iter::once(Err(Error::failed("a reset puts nothing back"))))
    }
}
