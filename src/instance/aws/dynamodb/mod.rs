//! DynamoDB: tables with their indexes and settings, and the items in them.
//!
//! Backups, global tables, resource policies and autoscaling are not recorded.

mod apply;
mod items;
mod rebuild;
mod table;
mod update;
mod value;
mod write;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use self::write::Writer;
use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, Emulator, Request, Scope, Service, found};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::json("dynamodb", "DynamoDB_20120810", "1.0");

/// The collection of a table.
const ITEMS: &str = "item";

/// The service.
#[derive(Default)]
pub struct DynamoDb {
    writer: Writer,
}

#[async_trait]
impl Service for DynamoDb {
    fn name(&self) -> &'static str {
        "dynamodb"
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::json(&API, "ListTables", json!({"Limit": 1})))
    }

    fn partial(&self, emulator: Emulator, _agent: bool) -> Option<&'static str> {
        match emulator {
            Emulator::LocalStack => Some("only where LocalStack could download its DynamoDB"),
            _ => None,
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        match address.collection_and_item() {
            None => Stage::Resource,
            Some(_) => Stage::Item,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let request = Request::json(&API, "ListTables", json!({}));
        let mut pages = cx.pages(request, "ExclusiveStartTableName", "LastEvaluatedTableName");
        let mut tables = Vec::new();
        while let Some(page) = pages.next().await? {
            let names = crate::instance::aws::items(&page["TableNames"]).iter().filter_map(Json::as_str);
            tables.extend(names.map(|name| (cx.address("table", name), name.to_owned())));
        }
        cx.each(sink, tables, |address, name| async move {
            let Some(live) = describe(cx, &name).await? else { return Ok(()) };
            sink.mark(&address, &table::born(&live));
            sink.record(address.clone(), table::record(cx, &live).await?)?;
            items::capture(cx, sink, &address, &live).await
        })
        .await
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()> {
        let name = step.address.name();
        match (step.address.collection_and_item(), &step.after) {
            (None, Some(after)) => apply::apply(cx, name, after, contents).await,
            (None, None) => update::delete(cx, name).await,
            (Some((ITEMS, _)), Some(after)) => self.writer.put(cx, name, &after.attributes).await,
            (Some((ITEMS, item)), None) => self.writer.delete(cx, name, item).await,
            (Some((collection, _)), _) => {
                Err(Error::failed(format!("this peapod can't restore a {collection} of a table"))
                    .hint("it was captured by a newer peapod: update this one"))
            }
        }
    }
}

/// A table's description, if there is one.
async fn describe(cx: &Scope<'_>, name: &str) -> Result<Option<Json>> {
    let answer = found(cx.json(&API, "DescribeTable", json!({"TableName": name})).await)?;
    Ok(answer.map(|mut answer| answer["Table"].take()).filter(|table| !table.is_null()))
}
