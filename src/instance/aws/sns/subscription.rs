//! Subscriptions, items of their topic.

use std::collections::BTreeMap;

use super::{API, SUBSCRIPTIONS, Setting, arn, by_name, call, changed, read, text};
use crate::core::address::Address;
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::instance::aws::{ApiError, Request, Scope, found, items, quirks, refused};
use crate::instance::{Sink, Step};

const FILTER: &str = "FilterPolicy";
const SCOPE: &str = "FilterPolicyScope";
const REDRIVE: &str = "RedrivePolicy";

/// The attributes of a subscription, in the order in which they are set: a filter that looks into bodies is refused
/// while it would look at attributes.
fn settings(looks_into_bodies: bool) -> Vec<Setting> {
    let (filter, scope) = ((FILTER, "{}", true), (SCOPE, "MessageAttributes", false));
    let filter = if looks_into_bodies { [scope, filter] } else { [filter, scope] };
    let others = [
        ("RawMessageDelivery", "false", false),
        (REDRIVE, "{}", true),
        ("DeliveryPolicy", "{}", true),
        ("SubscriptionRoleArn", "", false),
    ];
    let all = filter.into_iter().chain(others);
    all.map(|(name, default, is_document)| (name.to_owned(), default, is_document)).collect()
}

/// A subscription as it is listed.
pub(super) struct Live {
    /// `PROTOCOL:ENDPOINT`, the endpoint portable.
    name: String,
    /// None while it waits for its confirmation, on most makes.
    arn: Option<String>,
}

/// The subscriptions to a topic; none if there is no such topic.
pub(super) async fn list(cx: &Scope<'_>, topic: &str) -> Result<Vec<Live>, ApiError> {
    let mut all = Vec::new();
    let request = Request::form(&API, "ListSubscriptionsByTopic", &[("TopicArn", topic)]);
    let mut pages = cx.pages(request, "NextToken", "NextToken");
    while let Some(page) = found(pages.next().await)?.flatten() {
        for listed in items(&page["Subscriptions"]) {
            let field = |name: &str| listed[name].as_str().unwrap_or_default();
            let name = format!("{}:{}", field("Protocol"), cx.portable_text(field("Endpoint")));
            let arn = Some(field("SubscriptionArn")).filter(|arn| arn.starts_with("arn:")).map(str::to_owned);
            all.push(Live { name, arn });
        }
    }
    Ok(all)
}

pub(super) async fn capture_all(cx: &Scope<'_>, sink: &dyn Sink, topic: &Address, arn: &str) -> Result<()> {
    // One after the other: the topics are looked at side by side.
    for live in list(cx, arn).await? {
        let address = topic.item(SUBSCRIPTIONS, &live.name);
        if !sink.wants(&address) {
            continue;
        }
        match capture(cx, sink, &address, &live).await {
            Err(error) if error.is_gone() => return Err(error.into()),
            Err(error) => cx.skip(sink, address.parts(), error),
            Ok(Some(record)) => sink.record(address, record)?,
            Ok(None) => {}
        }
    }
    Ok(())
}

/// Reads a subscription; none if it is gone, or waits for its confirmation, which is said.
async fn capture(cx: &Scope<'_>, sink: &dyn Sink, address: &Address, live: &Live) -> Result<Option<Record>, ApiError> {
    const PENDING: &str = "it waits for its confirmation, which can't be brought back";
    let Some(arn) = &live.arn else {
        cx.skip(sink, address.parts(), PENDING);
        return Ok(None);
    };
    let Some(attributes) = look(cx, arn).await? else { return Ok(None) };
    if attributes.get("PendingConfirmation").is_some_and(|pending| pending == "true") {
        cx.skip(sink, address.parts(), PENDING);
        return Ok(None);
    }
    sink.mark(address, arn);
    Ok(Some(Record::new(read(cx, &attributes, &settings(false)))))
}

async fn look(cx: &Scope<'_>, arn: &str) -> Result<Option<BTreeMap<String, String>>, ApiError> {
    let answer = cx.query(&API, "GetSubscriptionAttributes", &[("SubscriptionArn", arn)]).await;
    Ok(found(answer)?.map(|answer| by_name(&answer)))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step, name: &str) -> Result<()> {
    let topic = arn(cx, step.address.name());
    let live = list(cx, &topic).await?.into_iter().find(|live| live.name == name);
    let (live, after) = match (live, &step.after) {
        (None, None) => return Ok(()),
        (Some(live), None) => return unsubscribe(cx, &live).await,
        (None, Some(after)) => return subscribe(cx, &topic, name, after).await,
        (Some(live), Some(after)) => (live, after),
    };
    // Nothing can be set before it is confirmed.
    let Some(arn) = &live.arn else { return Ok(()) };
    let settings = settings(after.text(SCOPE) == Some("MessageBody"));
    let have = read(cx, &look(cx, arn).await?.unwrap_or_default(), &settings);
    let loses_redrive = have.contains_key(REDRIVE) && !after.attributes.contains_key(REDRIVE);
    if loses_redrive && quirks::subscription_keeps_redrive(cx.emulator) {
        unsubscribe(cx, &live).await?;
        return subscribe(cx, &topic, name, after).await;
    }
    for (name, value) in changed(cx, &have, after, &settings) {
        let params = [("SubscriptionArn", arn.as_str()), ("AttributeName", name), ("AttributeValue", &value)];
        cx.query(&API, "SetSubscriptionAttributes", &params).await.map_err(refused)?;
    }
    Ok(())
}

/// An attribute of a request that takes several.
pub(super) fn entry(number: usize, name: &str, value: &str) -> [(String, String); 2] {
    let prefix = format!("Attributes.entry.{number}");
    [(format!("{prefix}.key"), name.to_owned()), (format!("{prefix}.value"), value.to_owned())]
}

async fn subscribe(cx: &Scope<'_>, topic: &str, name: &str, after: &Record) -> Result<()> {
    let (protocol, endpoint) =
        name.split_once(':').ok_or_else(|| Error::denied(format!("\"{name}\" is no PROTOCOL:ENDPOINT")))?;
    let endpoint = cx.local_text(endpoint);
    let fixed =
        [("TopicArn", topic), ("Protocol", protocol), ("Endpoint", &endpoint), ("ReturnSubscriptionArn", "true")];
    let mut params: Vec<(String, String)> =
        fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    // All at once, so that no message passes a filter that is still to come.
    for (index, (name, value)) in after.attributes.iter().enumerate() {
        params.extend(entry(index + 1, name, &text(cx, value)));
    }
    call(cx, "Subscribe", &params).await.map_err(refused)?;
    Ok(())
}

/// Ends a subscription. One that waits for its confirmation has no ARN to name it by; it expires, or goes with its topic.
pub(super) async fn unsubscribe(cx: &Scope<'_>, live: &Live) -> Result<()> {
    let Some(arn) = &live.arn else { return Ok(()) };
    found(cx.query(&API, "Unsubscribe", &[("SubscriptionArn", arn)]).await).map_err(refused)?;
    Ok(())
}
