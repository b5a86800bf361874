//! Domain names with the base paths that lead to stages, links into a network, and the account's settings.

use serde_json::{Value as Json, json};

use super::patch::Patch;
use super::{ApiGateway, attributes, body, by_name, delete, get, id_in, list, portable_id, retag, send, sort, text};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, quirks};
use crate::instance::{Sink, Step};

/// What AWS calls the base path of a mapping that has none.
const NO_PATH: &str = "(none)";

const LEFT_OUT: [&str; 11] = [
    "certificateUploadDate",
    "distributionDomainName",
    "distributionHostedZoneId",
    "domainName",
    "domainNameArn",
    "domainNameId",
    "domainNameStatus",
    "domainNameStatusMessage",
    "endpointConfiguration",
    "regionalDomainName",
    "regionalHostedZoneId",
];

fn read(cx: &Scope<'_>, domain: &Json) -> Result<Attributes> {
    let own = [("routingMode", json!("BASE_PATH_MAPPING_ONLY")), ("securityPolicy", json!("TLS_1_2"))];
    let mut attributes = attributes(cx, domain, &LEFT_OUT, &own)?;
    let endpoint = &domain["endpointConfiguration"];
    let left_out = if endpoint["ipAddressType"] == "ipv4" { &["ipAddressType"][..] } else { &[] };
    let mut endpoint = described::attributes(cx, endpoint, left_out)?;
    sort(&mut endpoint, &["types", "vpcEndpointIds"]);
    if !endpoint.is_empty() {
        attributes.insert("endpointConfiguration".to_owned(), Value::Map(endpoint));
    }
    Ok(attributes)
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let found = list(cx, &["domainnames"], &[]).await?;
    let found = found.into_iter().map(|domain| (cx.address("domain-name", text(&domain, "domainName")), domain));
    cx.each(sink, found.collect(), |address, domain| async move {
        sink.record(address.clone(), Record::new(read(cx, &domain)?))?;
        for mapping in mappings(cx, address.name()).await? {
            sink.record(address.item("base-path-mapping", path_of(&mapping)), Record::new(mapping_of(cx, &mapping)?))?;
        }
        Ok(())
    })
    .await
}

async fn mappings(cx: &Scope<'_>, domain: &str) -> Result<Vec<Json>> {
    match list(cx, &["domainnames", domain, "basepathmappings"], &[]).await {
        Err(_) if quirks::breaks_without_mappings(cx.emulator) => Ok(Vec::new()),
        found => found,
    }
}

fn path_of(mapping: &Json) -> &str {
    Some(text(mapping, "basePath")).filter(|path| !path.is_empty()).unwrap_or(NO_PATH)
}

fn mapping_of(cx: &Scope<'_>, mapping: &Json) -> Result<Attributes> {
    let mut attributes = attributes(cx, mapping, &["basePath", "domain_name", "restApiId"], &[])?;
    attributes.insert("restApiId".to_owned(), Value::text(portable_id(cx, text(mapping, "restApiId"))));
    Ok(attributes)
}

pub(super) async fn apply(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let name = step.address.name();
    let at = ["domainnames", name];
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else { return delete(cx, &at).await };
    let before = step.before.as_ref().map(|before| &before.attributes);
    let Some(live) = get(cx, &at).await? else {
        let mut body = body(cx, after, &[]);
        body["domainName"] = name.into();
        send(cx, Method::POST, &["domainnames"], body).await?;
        return Ok(());
    };
    let live = read(cx, &live)?;
    let patch = Patch::new(cx).attributes(&live, before, after, &["endpointConfiguration", "tags"]);
    patch.send(&at).await?;
    retag(cx, &format!("domainnames/{name}"), &live, before, after).await
}

/// A mapping is only a place and where it leads: one that leads elsewhere is made anew.
pub(super) async fn apply_mapping(cx: &Scope<'_>, step: &Step, path: &str) -> Result<()> {
    let Some(domain) = step.address.owner() else { return Ok(()) };
    let at = ["domainnames", domain.name(), "basepathmappings", path];
    if get(cx, &at[..2]).await?.is_none() {
        return match step.after {
            Some(_) => Err(Error::denied(format!("there is no domain name {} to map", domain.name()))),
            None => Ok(()),
        };
    }
    let live = mappings(cx, domain.name()).await?;
    let live =
        live.iter().find(|mapping| path_of(mapping) == path).map(|mapping| mapping_of(cx, mapping)).transpose()?;
    let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
        return if live.is_some() { delete(cx, &at).await } else { Ok(()) };
    };
    if live.as_ref() == Some(after) {
        return Ok(());
    }
    if live.is_some() {
        delete(cx, &at).await?;
    }
    let mut body = body(cx, after, &[]);
    if path != NO_PATH {
        body["basePath"] = path.into();
    }
    send(cx, Method::POST, &["domainnames", domain.name(), "basepathmappings"], body).await?;
    Ok(())
}

/// Links by names of their own.
pub(super) async fn named_links(cx: &Scope<'_>) -> Result<Vec<(String, Json)>> {
    let found = match list(cx, &["vpclinks"], &[]).await {
        // ministack has none.
        Err(error) if error.chain().contains("Unknown path") => Vec::new(),
        found => found?,
    };
    Ok(by_name(found, |link| format!("{} {}", text(link, "description"), link["targetArns"])))
}

fn read_link(cx: &Scope<'_>, link: &Json) -> Result<Attributes> {
    attributes(cx, link, &["id", "status", "statusMessage"], &[])
}

pub(super) async fn capture_links(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    for (name, link) in named_links(cx).await? {
        let address = cx.address("vpc-link", &name);
        if let Some(id) = id_in(&link) {
            cx.learn(&address, &id);
            sink.mark(&address, &id);
        }
        sink.record(address, Record::new(read_link(cx, &link)?))?;
    }
    Ok(())
}

impl ApiGateway {
    pub(super) async fn apply_link(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let making = self.making.lock().await;
        let id = self.id(cx, &step.address).await?;
        let Some(after) = step.after.as_ref().map(|after| &after.attributes) else {
            return match id {
                Some(id) => delete(cx, &["vpclinks", &id]).await,
                None => Ok(()),
            };
        };
        let live = match &id {
            Some(id) => get(cx, &["vpclinks", id]).await?,
            None => None,
        };
        let (Some(id), Some(live)) = (id, live) else {
            let made = send(cx, Method::POST, &["vpclinks"], body(cx, after, &[])).await?;
            if let Some(id) = id_in(&made) {
                cx.learn(&step.address, &id);
            }
            return Ok(());
        };
        drop(making);
        let (live, before) = (read_link(cx, &live)?, step.before.as_ref().map(|before| &before.attributes));
        if live.get("targetArns") != after.get("targetArns") {
            return Err(Error::denied("no call changes what a VPC link leads to"));
        }
        Patch::new(cx).attributes(&live, before, after, &["name", "tags"]).send(&["vpclinks", &id]).await?;
        retag(cx, &format!("vpclinks/{id}"), &live, before, after).await
    }
}

const ROLE: &str = "cloudwatchRoleArn";

pub(super) async fn capture_account(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let account = get(cx, &["account"]).await?.unwrap_or_default();
    let own = |role: &&str| quirks::has_own_gateway_role(cx.emulator) && role.ends_with(":role/api-gw-cw-role");
    let role = account[ROLE].as_str().filter(|role| !role.is_empty() && !own(role));
    let Some(role) = role else { return Ok(()) };
    let attributes = [(ROLE.to_owned(), Value::text(cx.portable_text(role)))].into_iter().collect();
    sink.record(cx.address("account", "settings"), Record::new(attributes))
}

pub(super) async fn apply_account(cx: &Scope<'_>, step: &Step) -> Result<()> {
    let role = step.after.as_ref().and_then(|after| after.attributes.get(ROLE)).and_then(Value::as_text);
    let mut patch = Patch::new(cx);
    // It is taken away by replacing it by nothing.
    patch.replace("/cloudwatchRoleArn", &role.map(|role| cx.local_text(role)).unwrap_or_default().into());
    patch.send(&["account"]).await
}
