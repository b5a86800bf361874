//! Usage plans: which keys may call which stages how often.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::patch::{Patch, token};
use super::{ApiGateway, attributes, body, by_name, delete, get, id_in, list, portable_id, retag, send, text};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Emulator, Method, Scope, items, quirks};
use crate::instance::{Sink, Step};

const STAGES: &str = "apiStages";
const KEYS: &str = "keys";

pub(super) async fn named(cx: &Scope<'_>) -> Result<Vec<(String, Json)>> {
    let found = list(cx, &["usageplans"], &[]).await?;
    Ok(by_name(found, |plan| format!("{} {} {}", text(plan, "description"), plan["quota"], plan["throttle"])))
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let found = named(cx).await?.into_iter().map(|(name, plan)| (cx.address("usage-plan", &name), plan)).collect();
    cx.each(sink, found, |address, plan| async move {
        let Some(id) = id_in(&plan) else { return Ok(()) };
        cx.learn(&address, &id);
        sink.mark(&address, &id);
        sink.record(address, Record::new(read(cx, &id, &plan).await?))
    })
    .await
}

async fn read(cx: &Scope<'_>, id: &str, plan: &Json) -> Result<Attributes> {
    let mut attributes = attributes(cx, plan, &["id", STAGES], &[])?;
    let mut stages = Vec::new();
    for stage in items(&plan[STAGES]) {
        let mut said = described::attributes(cx, stage, &[])?;
        said.insert("apiId".to_owned(), Value::text(portable_id(cx, text(stage, "apiId"))));
        stages.push(Value::Map(said));
    }
    stages.sort();
    if !stages.is_empty() {
        attributes.insert(STAGES.to_owned(), Value::List(stages));
    }
    if let Some(Value::Map(quota)) = attributes.get_mut("quota")
        && plan["quota"]["offset"] == 0
    {
        quota.remove("offset");
    }
    let keys = list(cx, &["usageplans", id, "keys"], &[]).await?;
    let keys: BTreeSet<String> = keys.iter().filter_map(id_in).map(|key| portable_id(cx, &key)).collect();
    if !keys.is_empty() {
        attributes.insert(KEYS.to_owned(), Value::List(keys.into_iter().map(Value::text).collect()));
    }
    Ok(attributes)
}

impl ApiGateway {
    pub(super) async fn apply_plan(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let making = self.making.lock().await;
        let id = self.id(cx, &step.address).await?;
        let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
            return match id {
                Some(id) => remove(cx, &id).await,
                None => Ok(()),
            };
        };
        let live = match &id {
            Some(id) => get(cx, &["usageplans", id]).await?,
            None => None,
        };
        let (id, live) = match (id, live) {
            (Some(id), Some(live)) => {
                let live = read(cx, &id, &live).await?;
                (id, live)
            }
            _ => {
                let Some(made) = make(cx, step, after).await? else { return Ok(()) };
                made
            }
        };
        drop(making);
        let before = step.before.as_ref().map(|before| &before.attributes);
        let (id, live) = match patch(cx, &id, &live, before, after).await? {
            true => (id, live),
            false => {
                remove(cx, &id).await?;
                let Some(made) = make(cx, step, after).await? else { return Ok(()) };
                made
            }
        };
        if described::changes(KEYS, &live, before, after) {
            let (have, want) = (texts(cx, live.get(KEYS)), texts(cx, after.get(KEYS)));
            for key in have.difference(&want) {
                delete(cx, &["usageplans", &id, "keys", key]).await?;
            }
            for key in want.difference(&have) {
                let key = json!({"keyId": key, "keyType": "API_KEY"});
                send(cx, Method::POST, &["usageplans", &id, "keys"], key).await?;
            }
        }
        retag(cx, &format!("usageplans/{id}"), &live, before, after).await
    }
}

/// Makes a plan, and says what it has then.
async fn make(cx: &Scope<'_>, step: &Step, after: &Attributes) -> Result<Option<(String, Attributes)>> {
    let made = send(cx, Method::POST, &["usageplans"], body(cx, after, &[KEYS])).await?;
    let Some(id) = id_in(&made) else { return Ok(None) };
    cx.learn(&step.address, &id);
    let mut live = after.clone();
    live.remove(KEYS);
    Ok(Some((id, live)))
}

/// Updates a plan, and says whether that did it: emulators pass over some of it, and LocalStack breaks down over a rate
/// that is no whole number. A plan has nothing but what is told of it, so it can be made anew then.
async fn patch(
    cx: &Scope<'_>,
    id: &str,
    live: &Attributes,
    before: Option<&Attributes>,
    after: &Attributes,
) -> Result<bool> {
    let but = ["name", "tags", KEYS];
    let changes = |live: &Attributes| {
        let mut names = live.keys().chain(after.keys()).filter(|name| !but.contains(&name.as_str()));
        names.any(|name| described::changes(name, live, before, after))
    };
    if !changes(live) {
        return Ok(true);
    }
    let mut patch = Patch::new(cx).attributes(live, before, after, &["name", "tags", KEYS, STAGES]);
    if described::changes(STAGES, live, before, after) {
        if quirks::patches_whole_attributes(cx.emulator) {
            patch.attribute(STAGES, live, after);
        } else {
            set_stages(cx, &mut patch, live, after);
        }
    }
    if let Err(error) = patch.send(&["usageplans", id]).await
        && !quirks::patches_plans_in_part(cx.emulator)
    {
        return Err(error);
    }
    let Some(now) = get(cx, &["usageplans", id]).await? else { return Ok(false) };
    Ok(!changes(&read(cx, id, &now).await?))
}

/// Deletes a plan, which AWS lets go only when no stage is in it. Emulators do, and moto breaks down over taking one out.
async fn remove(cx: &Scope<'_>, id: &str) -> Result<()> {
    let Some(plan) = get(cx, &["usageplans", id]).await? else { return Ok(()) };
    let mut live = Attributes::new();
    if !items(&plan[STAGES]).is_empty() && cx.emulator == Emulator::Other {
        live.insert(STAGES.to_owned(), Value::from_json(&plan[STAGES])?);
        let mut patch = Patch::new(cx);
        set_stages(cx, &mut patch, &live, &Attributes::new());
        patch.send(&["usageplans", id]).await?;
    }
    delete(cx, &["usageplans", id]).await
}

fn texts(cx: &Scope<'_>, list: Option<&Value>) -> BTreeSet<String> {
    let list = list.map(|list| cx.local(list).to_json()).unwrap_or_default();
    items(&list).iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

fn set_stages(cx: &Scope<'_>, patch: &mut Patch<'_>, live: &Attributes, after: &Attributes) {
    let stages = |attributes: &Attributes| {
        let stages = attributes.get(STAGES).map(|stages| cx.local(stages).to_json()).unwrap_or_default();
        items(&stages).to_vec()
    };
    let (have, want) = (stages(live), stages(after));
    let name = |stage: &Json| format!("{}:{}", text(stage, "apiId"), text(stage, "stage"));
    for stage in have.iter().filter(|stage| !want.contains(stage)) {
        patch.remove("/apiStages", Some(&name(stage).into()));
    }
    for stage in want.iter().filter(|stage| !have.contains(stage)) {
        patch.add("/apiStages", &name(stage).into());
        for (place, throttle) in stage["throttle"].as_object().into_iter().flatten() {
            let (path, verb) = place.rsplit_once('/').unwrap_or((place, "*"));
            for (limit, value) in throttle.as_object().into_iter().flatten() {
                let path = format!("/apiStages/{}/throttle/{}/{verb}/{limit}", name(stage), token(path));
                patch.replace(&path, value);
            }
        }
    }
}
