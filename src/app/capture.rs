//! Capture: an instance's whole state as a tree, with what tells this instance from a restarted one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::events::{Counter, Unit};
use crate::app::views::Skipped;
use crate::app::{App, Events};
use crate::core::address::Address;
use crate::core::codec;
use crate::core::content::{ContentReader, ContentRef, ContentWriter, Contents};
use crate::core::name::Name;
use crate::core::record::{Body, Record};
use crate::core::redact::Rules;
use crate::core::select::{Selection, Selector};
use crate::core::version::Skip;
use crate::error::{Error, Result};
use crate::instance::{Instance, Sink};
use crate::limits;
use crate::store::{Sorter, Store, Table, Write};
use crate::tree;

/// What a capture found.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The tree of everything selected.
    pub root: Name,
    /// What could not be captured.
    pub skipped: Vec<Skip>,
    /// Creation dates and generated ids by printed address.
    pub marks: BTreeMap<String, String>,
    /// What was selected.
    pub selector: Selector,
    /// The regions that were asked.
    pub regions: Vec<String>,
    /// The accounts that were asked.
    pub accounts: Vec<String>,
}

impl Captured {
    /// Whether the absence of a record at this address means that it is not there.
    pub fn proves_absence(&self, address: &Address) -> bool {
        self.selector.matches(address)
            && self.accounts.iter().any(|account| account == address.account())
            && self.regions.iter().any(|region| region == address.region())
            && !self.skipped.iter().any(|skip| skip.covers(address.parts()))
    }
}

/// Captures everything selected, and says what could not be captured. The instance is not changed.
///
/// Nothing is withheld: what an inject replaces can be put back. What becomes a version comes from [`capture_without`].
pub async fn capture(app: &App, instance: &dyn Instance, selector: &Selector, events: &Events) -> Result<Captured> {
    capture_without(app, instance, selector, &Rules::default(), events).await
}

/// The same without what the rules withhold: nothing of that is hashed or stored.
pub async fn capture_without(
    app: &App,
    instance: &dyn Instance,
    selector: &Selector,
    rules: &Rules,
    events: &Events,
) -> Result<Captured> {
    let captured = look_without(app, instance, selector, rules, events).await?;
    let skipped: Vec<Skipped> = captured.skipped.iter().map(Skipped::from).collect();
    for Skipped { address, reason } in Skipped::by_service(&skipped) {
        events.warn(format!("not captured: {address}: {reason}")).await;
    }
    Ok(captured)
}

/// Captures everything selected, and leaves it to the caller to say what could not be captured.
pub async fn look(app: &App, instance: &dyn Instance, selector: &Selector, events: &Events) -> Result<Captured> {
    look_without(app, instance, selector, &Rules::default(), events).await
}

async fn look_without(
    app: &App,
    instance: &dyn Instance,
    selector: &Selector,
    rules: &Rules,
    events: &Events,
) -> Result<Captured> {
    let sink = TreeSink {
        store: &app.store,
        instance: instance.url(),
        selector,
        rules,
        counter: events.counter("reading", None, Unit::Items),
        sorter: Mutex::new(Some(app.store.sorter()?)),
        found: Mutex::default(),
        failure: Failure::default(),
    };
    instance.capture(selector, &sink).await?;
    sink.failure.end()?;
    let sorter = sink.sorter.lock().unwrap_or_else(PoisonError::into_inner).take();
    let found = sink.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let root = tokio::task::block_in_place(|| -> Result<Name> {
        let root = match sorter {
            Some(sorter) => tree::build(&*app.store, &mut *sorter.finish()?)?,
            None => tree::empty(&*app.store)?,
        };
        app.store.update(&found.bodies)?;
        Ok(root)
    })?;
    Ok(Captured {
        root,
        skipped: found.skipped,
        marks: found.marks,
        selector: selector.clone(),
        regions: instance.regions(),
        accounts: selector.accounts().cloned().unwrap_or_else(|| instance.accounts()),
    })
}

/// Warns where what was selected is neither in the instance nor in the pod's state: a misspelt glob, say.
pub async fn warn_of_nothing(store: &Store, captured: &Captured, pod: Option<&Name>, events: &Events) -> Result<()> {
    if captured.selector.is_all() || captured.root != tree::empty(store)? {
        return Ok(());
    }
    if let Some(pod) = pod {
        for entry in tree::scan(store, pod, &[])? {
            if captured.selector.matches(&entry?.address) {
                return Ok(());
            }
        }
    }
    events
        .warn(format!("{} matches no record, neither in the pod nor in the instance", captured.selector.words()))
        .await;
    Ok(())
}

/// Captures the services in which two trees differ; nothing if they are the same.
pub async fn capture_differing(
    app: &App,
    instance: &dyn Instance,
    from: &Name,
    to: &Name,
    events: &Events,
) -> Result<Option<Captured>> {
    let mut services = BTreeSet::new();
    for change in tree::diff(&*app.store, from, to)? {
        services.insert(change?.address.service().to_owned());
    }
    if services.is_empty() {
        return Ok(None);
    }
    let selection = Selection { services: services.into_iter().collect(), ..Selection::default() };
    capture(app, instance, &Selector::new(selection)?, events).await.map(Some)
}

#[derive(Default)]
struct Found {
    skipped: Vec<Skip>,
    marks: BTreeMap<String, String>,
    bodies: Vec<Write>,
}

struct TreeSink<'a> {
    store: &'a Store,
    instance: &'a str,
    selector: &'a Selector,
    rules: &'a Rules,
    counter: Counter,
    sorter: Mutex<Option<Sorter<'a>>>,
    found: Mutex<Found>,
    failure: Failure,
}

/// The first failure of the store under a capture. An instance takes any error for one of a resource that it could not
/// give; but what this side can't keep (a full disk) ends the capture, and costs no resource.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    fn watch<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let told = Error::new(error.kind(), error.chain());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            told
        })
    }

    fn end(&self) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

/// A content on its way into the store.
struct Watched {
    writer: Box<dyn ContentWriter>,
    failure: Failure,
}

impl ContentWriter for Watched {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.failure.watch(self.writer.write(bytes))
    }

    fn finish(self: Box<Self>) -> Result<ContentRef> {
        self.failure.watch(self.writer.finish())
    }
}

impl Contents for TreeSink<'_> {
    fn write_content(&self) -> Box<dyn ContentWriter> {
        Box::new(Watched { writer: self.store.write_content(), failure: self.failure.clone() })
    }

    fn read_content(&self, content: &ContentRef) -> ContentReader {
        self.store.read_content(content)
    }
}

impl TreeSink<'_> {
    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn body_key(&self, address: &Address) -> Vec<u8> {
        [self.instance.as_bytes(), &[0], &address.key().0].concat()
    }
}

impl Sink for TreeSink<'_> {
    fn record(&self, address: Address, mut record: Record) -> Result<()> {
        if !self.selector.matches(&address) {
            return Ok(());
        }
        self.counter.add(1);
        if matches!(record.body, Some(Body::Content(_))) && self.rules.withholds_body(&address) {
            return self
                .failure
                .watch(Err(Error::failed(format!("this peapod can't withhold the bytes of {address}"))));
        }
        self.rules.withhold(&address, &mut record, &mut vec![]);
        match self.sorter.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(sorter) => self.failure.watch(sorter.push(&address, &record)),
            None => Ok(()),
        }
    }

    fn skip(&self, skip: Skip) {
        let mut found = self.found();
        if found.skipped.len() < limits::SKIPS {
            if !found.skipped.contains(&skip) {
                found.skipped.push(skip);
            }
        } else if found.skipped.len() == limits::SKIPS {
            // Whatever comes now may lie anywhere: nothing that is absent is proof of anything.
            found.skipped.push(Skip { prefix: vec![], reason: "too many failures to name".to_owned() });
        }
    }

    fn mark(&self, address: &Address, mark: &str) {
        let mut found = self.found();
        if found.marks.len() < limits::MARKS {
            found.marks.insert(address.to_string(), mark.to_owned());
        }
    }

    fn withholds_body(&self, address: &Address) -> bool {
        self.rules.withholds_body(address)
    }

    fn contents(&self) -> &dyn Contents {
        self
    }

    fn known_body(&self, address: &Address, fingerprint: &str) -> Option<Body> {
        let bytes = self.store.read(Table::Bodies, &self.body_key(address)).ok().flatten()?;
        let known: KnownBody = codec::decode(&bytes).ok()?;
        let held = match &known.body {
            Body::Inline(_) => true,
            Body::Content(content) => self.store.has(&content.root).unwrap_or(false),
            Body::Withheld => false,
        };
        (known.fingerprint == fingerprint && held).then_some(known.body)
    }

    fn remember_body(&self, address: &Address, fingerprint: &str, body: &Body) {
        let known = KnownBody { fingerprint: fingerprint.to_owned(), body: body.clone() };
        if let Ok(bytes) = codec::encode(&known) {
            self.found().bodies.push(Write::Put(Table::Bodies, self.body_key(address), bytes));
        }
    }
}

/// A body that an earlier capture read, and how the instance's listing showed it then.
#[derive(serde::Serialize, serde::Deserialize)]
struct KnownBody {
    fingerprint: String,
    body: Body,
}

impl codec::Format for KnownBody {
    const NUMBER: u8 = 1;
    const LIMIT: usize = 8 * 1024;
    const WORD: &'static str = "a remembered body";
}
