//! Takes a capture into memory, puts it back, and tells two captures apart.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use peapod::core::address::Address;
use peapod::core::content::{ContentReader, ContentRef, ContentWriter, Contents};
use peapod::core::name::{Kind, Name};
use peapod::core::record::{Body, Record};
use peapod::core::select::Selector;
use peapod::core::version::Skip;
use peapod::error::Result;
use peapod::instance::aws::{Aws, Login, Options};
use peapod::instance::{Instance, Sink, Step};

/// Contents in memory, each one chunk however long.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<Name, Bytes>>>);

struct Writer(Memory, Vec<u8>);

impl ContentWriter for Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.1.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<ContentRef> {
        let (root, size) = (Name::of(Kind::Chunk, &self.1), self.1.len() as u64);
        self.0.0.lock().unwrap().insert(root, self.1.into());
        Ok(ContentRef { root, level: 0, size })
    }
}

impl Contents for Memory {
    fn write_content(&self) -> Box<dyn ContentWriter> {
        Box::new(Writer(self.clone(), Vec::new()))
    }

    fn read_content(&self, content: &ContentRef) -> ContentReader {
        let bytes = self.0.lock().unwrap().get(&content.root).cloned().expect("a content that was never written");
        let pieces = (0..bytes.len()).step_by(65_536).map(|at| bytes.slice(at..bytes.len().min(at + 65_536)));
        Box::new(pieces.collect::<Vec<_>>().into_iter().map(Ok))
    }
}

/// What a capture found.
#[derive(Default)]
pub struct Captured {
    pub records: Mutex<BTreeMap<Address, Record>>,
    pub skips: Mutex<Vec<Skip>>,
    pub marks: Mutex<BTreeMap<Address, String>>,
    /// Shared between captures: bodies by address and fingerprint.
    pub bodies: Arc<Mutex<HashMap<(Address, String), Body>>>,
    /// How many bodies were taken from `bodies`.
    pub spared: Mutex<usize>,
    pub contents: Memory,
}

impl Sink for Captured {
    fn record(&self, address: Address, record: Record) -> Result<()> {
        self.records.lock().unwrap().insert(address, record);
        Ok(())
    }

    fn skip(&self, skip: Skip) {
        self.skips.lock().unwrap().push(skip);
    }

    fn mark(&self, address: &Address, mark: &str) {
        self.marks.lock().unwrap().insert(address.clone(), mark.to_owned());
    }

    fn withholds_body(&self, _: &Address) -> bool {
        false
    }

    fn contents(&self) -> &dyn Contents {
        &self.contents
    }

    fn known_body(&self, address: &Address, fingerprint: &str) -> Option<Body> {
        let body = self.bodies.lock().unwrap().get(&(address.clone(), fingerprint.to_owned())).cloned();
        *self.spared.lock().unwrap() += usize::from(body.is_some());
        body
    }

    fn remember_body(&self, address: &Address, fingerprint: &str, body: &Body) {
        self.bodies.lock().unwrap().insert((address.clone(), fingerprint.to_owned()), body.clone());
    }
}

/// Connects as a test does: test/test, us-east-1.
pub async fn connect(url: &str) -> Aws {
    Aws::connect(url, Options { allow_remote: false, login: login() }).await.unwrap()
}

/// The login that every emulator takes.
pub fn login() -> Login {
    let (access_key, secret_key, region) = ("test".into(), "test".into(), "us-east-1".into());
    Login { access_key, secret_key, session_token: None, region }
}

impl Captured {
    /// Captures everything.
    pub async fn of(aws: &dyn Instance) -> Captured {
        Captured::default().again(aws).await
    }

    /// Captures what of these services there is.
    pub async fn of_services(aws: &dyn Instance, services: &[&str]) -> Captured {
        let services = services.iter().map(|service| (*service).to_owned()).collect();
        let selection = peapod::core::select::Selection { services, ..Default::default() };
        let captured = Captured::default();
        aws.capture(&Selector::new(selection).unwrap(), &captured).await.unwrap();
        captured
    }

    /// Captures everything, with the bodies and contents that this capture knows.
    pub async fn again(&self, aws: &dyn Instance) -> Captured {
        let (bodies, contents) = (self.bodies.clone(), self.contents.clone());
        let captured = Captured { bodies, contents, ..Captured::default() };
        aws.capture(&Selector::all(), &captured).await.unwrap();
        captured
    }

    /// Puts everything into an instance that holds nothing, stage by stage.
    pub async fn restore(&self, aws: &dyn Instance) {
        let records = self.records.lock().unwrap().clone();
        let step = |(address, record)| Step { address, before: None, after: Some(record), paused: false };
        self.apply(aws, records.into_iter().map(step).collect()).await;
    }

    /// Deletes everything, stage by stage.
    pub async fn delete(&self, aws: &dyn Instance) {
        let records = self.records.lock().unwrap().clone();
        let step = |(address, record)| Step { address, before: Some(record), after: None, paused: false };
        self.apply(aws, records.into_iter().map(step).collect()).await;
    }

    /// Carries out steps as a plan does: puts in rising, then deletes in falling order of stages.
    pub async fn apply(&self, aws: &dyn Instance, steps: Vec<Step>) {
        let mut stages: BTreeMap<(bool, i64), Vec<Step>> = BTreeMap::new();
        for step in steps {
            let stage = aws.stage(&step.address) as i64;
            let key = (step.after.is_none(), if step.after.is_some() { stage } else { -stage });
            stages.entry(key).or_default().push(step);
        }
        for steps in stages.into_values() {
            let mut waiting = steps.into_iter();
            let mut running = FuturesUnordered::new();
            loop {
                while running.len() < 16
                    && let Some(step) = waiting.next()
                {
                    running.push(async move {
                        match aws.apply(&step, &self.contents).await {
                            Ok(()) => {}
                            // What an instance refuses is lost, and what that costs is seen by capturing again.
                            Err(error) if error.kind() == peapod::error::Kind::Denied => {
                                println!("refused {}: {}", step.address, error.chain());
                            }
                            Err(error) => panic!("{}: {}", step.address, error.chain()),
                        }
                    });
                }
                if running.next().await.is_none() {
                    break;
                }
            }
        }
        let settled = aws.settle(&self.contents).await.unwrap();
        assert!(settled.refused.is_empty(), "{settled:?}");
    }

    /// The records of a service.
    pub fn service(&self, service: &str) -> BTreeMap<Address, Record> {
        let records = self.records.lock().unwrap();
        records
            .iter()
            .filter(|(address, _)| address.service() == service)
            .map(|(a, r)| (a.clone(), r.clone()))
            .collect()
    }

    /// What was skipped of a service, as text.
    pub fn skipped(&self, service: &str) -> Vec<String> {
        let skips = self.skips.lock().unwrap();
        let of_it = skips.iter().filter(|skip| skip.prefix.get(2).is_none_or(|name| name == service));
        of_it.map(|skip| format!("{}: {}", skip.prefix.join("/"), skip.reason)).collect()
    }

    /// How two captures of a service differ, a line for each record; empty if they don't.
    pub fn differences(&self, other: &Captured, service: &str) -> Vec<String> {
        let (ours, theirs) = (self.service(service), other.service(service));
        let mut lines = Vec::new();
        for (address, record) in &ours {
            match theirs.get(address) {
                None => lines.push(format!("- {address}")),
                Some(other) if other != record => lines.push(format!("~ {address}\n    {record:?}\n    {other:?}")),
                Some(_) => {}
            }
        }
        lines.extend(theirs.keys().filter(|address| !ours.contains_key(address)).map(|address| format!("+ {address}")));
        lines
    }
}
