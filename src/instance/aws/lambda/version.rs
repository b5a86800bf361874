//! Published versions of a function, `function/NAME/version/N`: each with its configuration and its code.
//!
//! A version is published from `$LATEST` and can't be changed. So `$LATEST` becomes what the version is, is published,
//! and becomes what it was. Instances number versions themselves: they are put back in order and gaps filled, so that a
//! function which never had one gets them under the numbers that aliases and callers use.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::attached::{self, Holder};
use super::function::{self, Live};
use super::zip::{self, Sent};
use super::{alias, functions};
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::error::{Error, Kind, Result};
use crate::instance::aws::{Emulator, Method, Scope, found, quirks, refused};
use crate::instance::{Sink, Step};
use crate::limits;

/// In addresses.
pub(super) const VERSION: &str = "version";

/// What the function itself has and a version tells again.
const OF_FUNCTION: [&str; 2] = ["ReservedConcurrentExecutions", "Tags"];

/// Reads the versions of a function, `latest` of which is the code it has now.
pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink, owner: &Address, latest: &str, sent: &Sent) -> Result<()> {
    let numbers = function::versions(cx, owner.name()).await?;
    let versions = numbers.into_iter().map(|number| (owner.item(VERSION, &item(number)), number));
    let versions = versions.filter(|(address, _)| sink.wants(address)).collect();
    cx.each(sink, versions, |address, number| async move {
        let (name, qualifier) = (address.name(), number.to_string());
        let Some(live) = function::look(cx, name, Some(&qualifier)).await? else { return Ok(()) };
        let body = match live.is_image {
            true => None,
            false if sink.withholds_body(&address) => Some(Body::Withheld),
            false => {
                let known = [&address, owner].into_iter().find_map(|at| sink.known_body(at, &live.sha256));
                match known.or_else(|| sent.find(&live.sha256)) {
                    Some(body) => {
                        sink.remember_body(&address, &live.sha256, &body);
                        Some(body)
                    }
                    None if cx.emulator == Emulator::Ministack && live.sha256 != latest => {
                        return Err(Error::failed("ministack shows no code but that of $LATEST"));
                    }
                    None => Some(download(cx, sink, &address, &live, &qualifier).await?),
                }
            }
        };
        let mut attributes = live.record.attributes;
        attributes.retain(|name, _| !OF_FUNCTION.contains(&name.as_str()));
        attributes.extend(attached::read(cx, Holder::Version(name, &qualifier)).await?);
        sink.record(address, Record { body, ..Record::new(attributes) })
    })
    .await
}

async fn download(cx: &Scope<'_>, sink: &dyn Sink, address: &Address, live: &Live, qualifier: &str) -> Result<Body> {
    let agent = format!("{}&version={qualifier}", function::agent(cx, address.name()));
    let body = zip::fetch(cx, sink.contents(), live.location.as_deref(), &agent).await?;
    if zip::sha256(&body, sink.contents()).await? != live.sha256 {
        return Err(Error::failed("the instance gave other code than the version's"));
    }
    sink.remember_body(address, &live.sha256, &body);
    Ok(body)
}

/// A number as it stands in addresses: padded, so that versions are put back in the order of their numbers.
fn item(number: i64) -> String {
    format!("{number:06}")
}

/// The steps under way of each function: one at a time, in the order in which they came.
#[derive(Default)]
pub(super) struct Desks(Mutex<HashMap<(String, String), Arc<Desk>>>);

impl Desks {
    /// The one of a function.
    pub(super) fn of(&self, cx: &Scope<'_>, function: &str) -> Arc<Desk> {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.entry((cx.region.to_owned(), function.to_owned())).or_default().clone()
    }
}

/// Where the steps of one function take turns.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) turn: tokio::sync::Mutex<Changed>,
    /// Versions that wait for their turn.
    waiting: AtomicUsize,
}

/// What the versions so far have changed and the last one in the row puts right.
#[derive(Default)]
pub(super) struct Changed {
    /// What `$LATEST` is besides. Without a body: its code was not changed.
    latest: Option<Record>,
    /// Numbers that were given out to come to the next, where those that are there count: they go together.
    fillers: BTreeSet<i64>,
}

/// Counts a version that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) async fn apply(
    cx: &Scope<'_>,
    step: &Step,
    version: &str,
    contents: &dyn Contents,
    desk: &Desk,
    sent: &Sent,
) -> Result<()> {
    let name = step.address.name();
    let number: i64 = version.parse().map_err(|_| Error::failed(format!("{} names no version", step.address)))?;
    desk.waiting.fetch_add(1, Ordering::SeqCst);
    let waiting = Waiting(&desk.waiting);
    let mut changed = desk.turn.lock().await;
    drop(waiting);
    let done = match &step.after {
        None => delete(cx, name, &number.to_string()).await,
        Some(after) => put(cx, step, number, after, contents, &mut changed, sent).await,
    };
    // Whoever waits goes on from here.
    if desk.waiting.load(Ordering::SeqCst) > 0 {
        return done;
    }
    if let Some(latest) = changed.latest.take() {
        become_it(cx, name, &latest, contents).await?;
    }
    for filler in std::mem::take(&mut changed.fillers) {
        delete(cx, name, &filler.to_string()).await?;
    }
    done
}

async fn put(
    cx: &Scope<'_>,
    step: &Step,
    number: i64,
    after: &Record,
    contents: &dyn Contents,
    changed: &mut Changed,
    sent: &Sent,
) -> Result<()> {
    let (name, qualifier) = (step.address.name(), number.to_string());
    let mut before = step.before.as_ref();
    match function::look(cx, name, Some(&qualifier)).await? {
        Some(live) => {
            let same = match &after.body {
                Some(zip) => zip::sha256(zip, contents).await? == live.sha256,
                None => live.record.text("ImageUri") == after.text("ImageUri"),
            };
            if !same {
                return Err(Error::denied(format!(
                    "version {number} has other code there, and no version can be changed"
                )));
            }
        }
        None => {
            publish(cx, name, number, after, contents, changed, sent).await?;
            before = None;
        }
    }
    let before = before.map(|record| &record.attributes);
    attached::put(cx, Holder::Version(name, &qualifier), before, &after.attributes).await
}

async fn publish(
    cx: &Scope<'_>,
    name: &str,
    wanted: i64,
    after: &Record,
    contents: &dyn Contents,
    changed: &mut Changed,
    sent: &Sent,
) -> Result<()> {
    let can_not = |why: String| Error::denied(format!("version {wanted} can't be put back: {why}"));
    let Some(live) = function::ready(cx, name).await? else {
        return Err(can_not(format!("there is no function {name} to publish it from")));
    };
    let by_what_is_there = quirks::numbers_functions_by_what_is_there(cx.emulator);
    let mut there = function::versions(cx, name).await?;
    let next_by_count = i64::try_from(there.len()).unwrap_or(i64::MAX).saturating_add(1);
    if cx.emulator == Emulator::Moto && there.contains(&next_by_count) {
        return Err(can_not(format!("moto would give number {next_by_count} twice")));
    }
    let new_code = match &after.body {
        Some(zip) => zip::sha256(zip, contents).await? != live.sha256,
        None => false,
    };
    let needs_body = new_code && changed.latest.as_ref().is_none_or(|latest| latest.body.is_none());
    let body = match (needs_body, sent.find(&live.sha256)) {
        (true, None) => Some(fetch(cx, name, &live, contents).await.map_err(|error| can_not(error.chain()))?),
        (true, known) => known,
        (false, _) => None,
    };
    let latest = changed.latest.get_or_insert(live.record);
    latest.body = latest.body.take().or(body);
    let mut next = by_what_is_there.then_some(match cx.emulator {
        Emulator::Moto => next_by_count,
        _ => there.last().map_or(1, |last| last.saturating_add(1)),
    });
    let mut nothing_new = false;
    loop {
        // What fills a gap says something else than the versions around it, and each publication takes a change.
        if let Some(next) = next {
            let mut filler = after.clone();
            filler.attributes.insert("Description".to_owned(), Value::text(format!("peapod {next}")));
            become_it(cx, name, &filler, contents).await?;
        }
        if next.is_none_or(|next| next >= wanted) {
            become_it(cx, name, after, contents).await?;
        }
        let made = call(cx, name).await?;
        if made == wanted && !there.contains(&made) {
            break;
        }
        match (there.insert(made), by_what_is_there) {
            (true, true) => drop(changed.fillers.insert(made)),
            (true, false) => delete(cx, name, &made.to_string()).await?,
            (false, _) if std::mem::replace(&mut nothing_new, true) => {
                return Err(can_not("it says the same as the one before, which is not published again".to_owned()));
            }
            (false, _) => {}
        }
        if made > wanted || wanted - made > limits::FUNCTION_GAP {
            return Err(can_not(format!("the instance counts {made} already")));
        }
        next = Some(made.saturating_add(1));
    }
    if let Some(zip) = &after.body
        && let Some(live) = function::look(cx, name, Some(&wanted.to_string())).await?
    {
        sent.add(&live.sha256, zip);
    }
    Ok(())
}

async fn call(cx: &Scope<'_>, name: &str) -> Result<i64> {
    let request = functions(Method::POST, [name, "versions"]).body_json(json!({}));
    let made = cx.call(request).await.map_err(refused)?;
    function::number(&made).ok_or_else(|| Error::failed(format!("the instance numbered no version of {name}")))
}

/// The code of `$LATEST`, out of the instance.
async fn fetch(cx: &Scope<'_>, name: &str, live: &Live, contents: &dyn Contents) -> Result<Body> {
    zip::fetch(cx, contents, live.location.as_deref(), &function::agent(cx, name)).await
}

/// Makes `$LATEST` this.
async fn become_it(cx: &Scope<'_>, name: &str, record: &Record, contents: &dyn Contents) -> Result<()> {
    match function::look(cx, name, None).await? {
        Some(live) => function::update(cx, name, &live, record, contents).await,
        None => Err(Error::new(Kind::Denied, format!("function {name} is gone"))),
    }
}

async fn delete(cx: &Scope<'_>, name: &str, number: &str) -> Result<()> {
    let request = || functions(Method::DELETE, [name]).query("Qualifier", number);
    match found(cx.call(request()).await) {
        Err(error) if error.is_existing() => {
            alias::lead_away(cx, name, number).await.map_err(refused)?;
            found(cx.call(request()).await).map_err(refused)?;
        }
        result => drop(result.map_err(refused)?),
    }
    Ok(())
}
