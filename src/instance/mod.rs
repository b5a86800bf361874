//! Instances: what a pod is captured from and put back into.
//!
//! An instance turns its state into records and records into state. It knows nothing of versions, merges or stores:
//! what it reads goes into a [`Sink`], what it is told to do comes as a [`Step`]. [`aws`] speaks the public AWS API to
//! any emulator; [`files`] takes a directory for one.

pub mod aws;
pub mod files;

/// The schema of the records that this release makes; noted in every version.
pub const SCHEMA: u32 = 1;

use async_trait::async_trait;

use crate::core::address::{Address, SELF_ACCOUNT};
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::select::Selector;
use crate::core::version::Skip;
use crate::error::Result;

/// Who answers at an instance's URL.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// `moto`, `ministack`, `localstack`, `fakecloud`, or `aws-api`.
    pub emulator: String,
    /// As it reports it; empty when it does not.
    pub version: String,
    /// The account that the caller's credentials belong to there.
    pub account: String,
    /// Services this peapod captures there, and for each that it can't or only in part, a word why.
    pub services: Vec<(String, Option<String>)>,
}

/// Takes what a capture finds, from many tasks at once and in any order.
pub trait Sink: Send + Sync {
    /// Whether a record at this address is asked for; what is not need not be read at all.
    fn wants(&self, address: &Address) -> bool {
        let _ = address;
        true
    }
    /// A resource or item. Called once per address; the last call wins where a resource was taken again.
    fn record(&self, address: Address, record: Record) -> Result<()>;
    /// Something that could not be captured. What is absent under its prefix is not deleted.
    fn skip(&self, skip: Skip);
    /// A creation date or generated id that outlives edits but not a restart: how a later capture tells whether the
    /// instance is still the same one.
    fn mark(&self, address: &Address, mark: &str);
    /// Whether the bytes that the record at this address carries are kept out of the pod: then its body is
    /// [`Body::Withheld`], and nothing of it may be written to [`Sink::contents`].
    fn withholds_body(&self, address: &Address) -> bool;
    /// Where bodies go.
    fn contents(&self) -> &dyn Contents;
    /// The body that an earlier capture read at this address under the same fingerprint (ETag, size and date).
    fn known_body(&self, address: &Address, fingerprint: &str) -> Option<Body>;
    /// Remembers a body for [`Sink::known_body`].
    fn remember_body(&self, address: &Address, fingerprint: &str, body: &Body);
}

/// One operation of a plan: what stands at an address now, and what shall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where.
    pub address: Address,
    /// The record there now, as the last capture saw it; none when the step creates.
    pub before: Option<Record>,
    /// The record that shall be there; none when the step deletes.
    pub after: Option<Record>,
    /// Puts what acts by itself (event source mappings, notifications) back switched off.
    pub paused: bool,
}

/// What showed only when all steps of a run were carried out.
#[derive(Debug, Default)]
pub struct Settled {
    /// Records that the instance does not take after all, and why.
    pub refused: Vec<(Address, String)>,
    /// What a person should know of the state that the steps came to.
    pub notes: Vec<String>,
}

/// When a record is put back, relative to others. Puts run in rising, deletes in falling order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What others refer to: roles, policies, keys.
    Foundation,
    /// Containers: buckets, tables, queues, topics, secrets, layers.
    Resource,
    /// What needs containers: functions, users' attachments, redrive to another queue.
    Dependent,
    /// What containers hold: objects, items, messages, secret versions.
    Item,
    /// What is made of all that a container holds: a stage of an API, which serves its methods as they are then.
    Published,
    /// What leads to that: mappings of domain names, usage plans.
    Mapped,
    /// What acts by itself as soon as it is there: event source mappings, notifications. After the echo is taken.
    Acting,
}

/// A running emulator, or anything whose state is records.
#[async_trait]
pub trait Instance: Send + Sync {
    /// Its URL, normalised: the key under which peapod remembers it.
    fn url(&self) -> &str;

    /// Who answers there. [`crate::error::Kind::NotFound`] when nobody does.
    async fn identify(&self) -> Result<Identity>;

    /// Whether peapod's agent runs in the instance, as far as was seen when it was connected to; none where none is needed.
    fn agent(&self) -> Option<bool> {
        None
    }

    /// The regions that a capture asks: what lies in another is not gone because a capture does not show it.
    fn regions(&self) -> Vec<String>;

    /// The accounts that a capture asks where the selector names none, as they stand in addresses; the caller's own at
    /// least. What lies in another is not gone because a capture does not show it.
    fn accounts(&self) -> Vec<String> {
        vec![SELF_ACCOUNT.to_owned()]
    }

    /// Has later captures ask these accounts too. An instance tells nobody which accounts have something in it.
    fn visit(&self, accounts: &[String]) {
        let _ = accounts;
    }

    /// Reads everything selected into `sink` without changing the instance.
    ///
    /// Fails only when the instance is gone; a call that fails costs its resource, said by [`Sink::skip`].
    async fn capture(&self, selector: &Selector, sink: &dyn Sink) -> Result<()>;

    /// When a record at this address is put back.
    fn stage(&self, address: &Address) -> Stage;

    /// Carries out one step. Idempotent: a step that was cut off may be carried out again.
    ///
    /// [`crate::error::Kind::Denied`] means that the instance understood and refuses this record (a 4xx or "not
    /// implemented"): it costs that resource. Any other error means that the instance can't be trusted to go on, and the
    /// inject is rolled back.
    async fn apply(&self, step: &Step, contents: &dyn Contents) -> Result<()>;

    /// Ends what steps have begun: called after the last of a run, and before anybody looks at what they came to. An
    /// instance whose steps are whole in themselves has nothing to do. Fails as a step does.
    ///
    /// A capture drops what was begun and not ended.
    async fn settle(&self, contents: &dyn Contents) -> Result<Settled> {
        let _ = contents;
        Ok(Settled::default())
    }

    /// Whether captures after a reset give other marks than before it.
    fn reset_shows(&self) -> bool {
        true
    }

    /// Empties the instance, by its own reset where it has one, else by deleting what a capture finds.
    async fn reset(&self) -> Result<()>;
}
