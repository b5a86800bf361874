//! Domain names with the keys that lead to stages, and links into a network.

use serde_json::{Value as Json, json};

use super::{ApiGatewayV2, attributes, body, changed, delete, get, list, retag, send, update};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::apigateway::{by_name, portable_id, text};
use crate::instance::aws::described::{self, Attributes};
use crate::instance::aws::{Method, Scope, items, quirks};
use crate::instance::{Sink, Step};

/// Stands for the key of a mapping that has none.
const NO_KEY: &str = "(none)";
const CONFIGURATIONS: &str = "domainNameConfigurations";

/// Told of a configuration, but no part of it.
const MADE_UP: [&str; 6] = [
    "apiGatewayDomainName",
    "certificateUploadDate",
    "domainNameStatus",
    "domainNameStatusMessage",
    "hostedZoneId",
    "ipAddressType",
];

fn read(cx: &Scope<'_>, domain: &Json) -> Result<Attributes> {
    let left_out = ["apiMappingSelectionExpression", "domainName", "domainNameArn", "routingMode", CONFIGURATIONS];
    let mut attributes = attributes(cx, domain, &left_out, &[])?;
    let configurations = items(&domain[CONFIGURATIONS]).iter();
    let configurations: Result<Vec<Value>> =
        configurations.map(|one| described::attributes(cx, one, &MADE_UP).map(Value::Map)).collect();
    attributes.insert(CONFIGURATIONS.to_owned(), Value::List(configurations?));
    Ok(attributes)
}

pub(super) async fn capture(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    let found = list(cx, &["domainnames"]).await?.into_iter();
    let found = found.map(|domain| (cx.address("domain-name", text(&domain, "domainName")), domain)).collect();
    cx.each(sink, found, |address, domain| async move {
        sink.record(address.clone(), Record::new(read(cx, &domain)?))?;
        for mapping in list(cx, &["domainnames", address.name(), "apimappings"]).await? {
            let key = Some(text(&mapping, "apiMappingKey")).filter(|key| !key.is_empty()).unwrap_or(NO_KEY);
            sink.record(address.item("api-mapping", key), Record::new(mapping_of(cx, &mapping)?))?;
        }
        Ok(())
    })
    .await
}

fn mapping_of(cx: &Scope<'_>, mapping: &Json) -> Result<Attributes> {
    let mut attributes = attributes(cx, mapping, &["apiId", "apiMappingId", "apiMappingKey", "domainName"], &[])?;
    attributes.insert("apiId".to_owned(), Value::text(portable_id(cx, text(mapping, "apiId"))));
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
    update(cx, &at, changed(cx, &live, before, after, &["tags"])).await?;
    retag(cx, &format!("domainnames/{name}"), &live, before, after).await
}

/// A mapping is only a place and where it leads: one that leads elsewhere is made anew.
pub(super) async fn apply_mapping(cx: &Scope<'_>, step: &Step, key: &str) -> Result<()> {
    let Some(domain) = step.address.owner() else { return Ok(()) };
    if get(cx, &["domainnames", domain.name()]).await?.is_none() {
        return match step.after {
            Some(_) => Err(Error::denied(format!("there is no domain name {} to map", domain.name()))),
            None => Ok(()),
        };
    }
    let at = ["domainnames", domain.name(), "apimappings"];
    let key = if key == NO_KEY { "" } else { key };
    let live = list(cx, &at).await?;
    let live = live.iter().find(|mapping| text(mapping, "apiMappingKey") == key);
    let wanted = step.after.as_ref().map(|after| &after.attributes);
    if let Some(live) = live {
        if Some(&mapping_of(cx, live)?) == wanted {
            return Ok(());
        }
        delete(cx, &[&at[..], &[text(live, "apiMappingId")]].concat()).await?;
    }
    let Some(after) = wanted else { return Ok(()) };
    let mut body = body(cx, after, &[]);
    if !key.is_empty() {
        body["apiMappingKey"] = json!(key);
    }
    send(cx, Method::POST, &at, body).await?;
    Ok(())
}

/// Links by names of their own.
pub(super) async fn named_links(cx: &Scope<'_>) -> Result<Vec<(String, Json)>> {
    if !quirks::has_http_api_links(cx.emulator) {
        return Ok(Vec::new());
    }
    Ok(by_name(list(cx, &["vpclinks"]).await?, |link| format!("{} {}", link["subnetIds"], link["securityGroupIds"])))
}

fn read_link(cx: &Scope<'_>, link: &Json) -> Result<Attributes> {
    let made_up = ["createdDate", "vpcLinkId", "vpcLinkStatus", "vpcLinkStatusMessage", "vpcLinkVersion"];
    attributes(cx, link, &made_up, &[])
}

pub(super) async fn capture_links(cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
    for (name, link) in named_links(cx).await? {
        let address = cx.address("vpc-link", &name);
        cx.learn(&address, text(&link, "vpcLinkId"));
        sink.mark(&address, text(&link, "vpcLinkId"));
        sink.record(address, Record::new(read_link(cx, &link)?))?;
    }
    Ok(())
}

impl ApiGatewayV2 {
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
            cx.learn(&step.address, text(&made, "vpcLinkId"));
            return Ok(());
        };
        drop(making);
        let (live, before) = (read_link(cx, &live)?, step.before.as_ref().map(|before| &before.attributes));
        if ["subnetIds", "securityGroupIds"].iter().any(|name| described::changes(name, &live, before, after)) {
            return Err(Error::denied("no call changes what a VPC link leads to"));
        }
        retag(cx, &format!("vpclinks/{id}"), &live, before, after).await
    }
}
