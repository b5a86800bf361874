//! Customer managed policies. The default version's document is the policy; older versions are not recorded.

use std::collections::BTreeMap;

use crate::core::address::Address;
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};

use super::{API, call, document, is_built_in, params, retag, tag_params, text};

/// AWS keeps this many versions of a policy and refuses the next.
const VERSIONS: usize = 5;

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let mut policies = Vec::new();
    let mut pages = cx.pages(Request::form(&API, "ListPolicies", &[("Scope", "Local")]), "Marker", "Marker");
    while let Some(page) = pages.next().await? {
        for policy in items(&page["Policies"]) {
            let (Some(name), Some(arn)) = (text(policy, "PolicyName"), text(policy, "Arn")) else { continue };
            if !is_built_in(arn, text(policy, "Path").unwrap_or("/")) {
                policies.push((cx.address("policy", name), arn.to_owned()));
            }
        }
    }
    cx.each(sink, policies, |address, arn| async move {
        if let Some((record, id)) = look(cx, &arn).await? {
            sink.mark(&address, &id);
            sink.record(address, record)?;
        }
        Ok(())
    })
    .await
}

/// The policy as it stands there, and its generated id.
async fn look(cx: &Scope<'_>, arn: &str) -> Result<Option<(Record, String)>> {
    let Some(answer) = found(cx.query(&API, "GetPolicy", &[("PolicyArn", arn)]).await)? else { return Ok(None) };
    let policy = &answer["Policy"];
    let version = text(policy, "DefaultVersionId").unwrap_or("v1");
    let answer = cx.query(&API, "GetPolicyVersion", &[("PolicyArn", arn), ("VersionId", version)]).await?;
    let mut attributes = BTreeMap::from([
        ("Path".to_owned(), Value::text(text(policy, "Path").unwrap_or("/"))),
        ("PolicyDocument".to_owned(), document(cx, text(&answer["PolicyVersion"], "Document").unwrap_or_default())),
    ]);
    if let Some(description) = text(policy, "Description") {
        attributes.insert("Description".to_owned(), description.into());
    }
    if let Some(tags) = tags::from_list(&policy["Tags"]) {
        attributes.insert("Tags".to_owned(), tags);
    }
    Ok(Some((Record::new(attributes), text(policy, "PolicyId").unwrap_or_default().to_owned())))
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let arn_of = |record: &Record| arn(cx, &step.address, record);
    // The path is part of a policy's ARN and fixed for its life: another path is another policy.
    if let Some(before) = &step.before {
        let stays = step.after.as_ref().is_some_and(|after| arn_of(after) == arn_of(before));
        if !stays {
            delete(cx, &arn_of(before)).await?;
        }
    }
    let Some(after) = &step.after else { return Ok(()) };
    let arn = arn_of(after);
    let wanted = after.attributes.get("PolicyDocument").ok_or_else(|| Error::failed("a policy without a document"))?;
    match look(cx, &arn).await? {
        None => {
            let text = cx.document_text(wanted);
            let path = after.text("Path").unwrap_or("/");
            let mut create = params([("PolicyName", name), ("Path", path), ("PolicyDocument", &text)]);
            if let Some(description) = after.text("Description") {
                create.push(("Description".to_owned(), description.to_owned()));
            }
            create.extend(tag_params(&tags::changes(None, after.attributes.get("Tags")).0));
            call(cx, "CreatePolicy", &create).await.map_err(refused)?;
        }
        // A description can't be changed, so a policy that differs in nothing else is left as it is.
        Some((live, _)) => {
            if live.attributes.get("PolicyDocument") != Some(wanted) {
                make_room(cx, &arn).await?;
                let text = cx.document_text(wanted);
                let version = params([("PolicyArn", &arn), ("PolicyDocument", &text), ("SetAsDefault", "true")]);
                call(cx, "CreatePolicyVersion", &version).await.map_err(refused)?;
            }
            let (before, after) = (live.attributes.get("Tags"), after.attributes.get("Tags"));
            retag(cx, "Policy", ("PolicyArn", &arn), before, after).await?;
        }
    }
    Ok(())
}

fn arn(cx: &Scope<'_>, address: &Address, record: &Record) -> String {
    let path = record.text("Path").unwrap_or("/");
    format!("arn:aws:iam::{}:policy{path}{}", cx.account, address.name())
}

/// Deletes the oldest version that is not the default when the policy has as many as AWS allows.
async fn make_room(cx: &Scope<'_>, arn: &str) -> Result<()> {
    let versions = versions(cx, arn).await?;
    if versions.len() >= VERSIONS
        && let Some(oldest) =
            versions.iter().filter(|(_, is_default)| !is_default).map(|(id, _)| id).min_by_key(|id| age(id))
    {
        call(cx, "DeletePolicyVersion", &params([("PolicyArn", arn), ("VersionId", oldest)])).await?;
    }
    Ok(())
}

fn age(version: &str) -> u64 {
    version.trim_start_matches('v').parse().unwrap_or(u64::MAX)
}

/// The ids of a policy's versions, and whether each is the default.
async fn versions(cx: &Scope<'_>, arn: &str) -> Result<Vec<(String, bool)>> {
    let answer = call(cx, "ListPolicyVersions", &params([("PolicyArn", arn)])).await?;
    let version = |json| Some((text(json, "VersionId")?.to_owned(), text(json, "IsDefaultVersion") == Some("true")));
    Ok(items(&answer["Versions"]).iter().filter_map(version).collect())
}

/// Deletes a policy. It is detached first: a plan may delete it before it comes to the roles that it is attached to.
async fn delete(cx: &Scope<'_>, arn: &str) -> Result<()> {
    let policy = params([("PolicyArn", arn)]);
    if found(call(cx, "GetPolicy", &policy).await)?.is_none() {
        return Ok(());
    }
    let answer = call(cx, "ListEntitiesForPolicy", &policy).await?;
    for (kind, list) in [("Role", "PolicyRoles"), ("User", "PolicyUsers"), ("Group", "PolicyGroups")] {
        for entity in items(&answer[list]) {
            let Some(name) = text(entity, &format!("{kind}Name")) else { continue };
            let detach = params([(&format!("{kind}Name"), name), ("PolicyArn", arn)]);
            found(call(cx, &format!("Detach{kind}Policy"), &detach).await)?;
        }
    }
    for (version, is_default) in versions(cx, arn).await? {
        if !is_default {
            found(call(cx, "DeletePolicyVersion", &params([("PolicyArn", arn), ("VersionId", &version)])).await)?;
        }
    }
    found(call(cx, "DeletePolicy", &policy).await)?;
    Ok(())
}
