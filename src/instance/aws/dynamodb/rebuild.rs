//! Making a table anew because its keys or local indexes are other ones.
//!
//! Where only the local indexes differ, the items stay the same items, and a plan that changes nothing about them has
//! no step for them. So they are set aside as content, which is in the store until the next clean-up, and put into the
//! new table. Items of other keys have other addresses: the plan deletes the old ones and puts the new ones itself.

use serde_json::{Value as Json, json};

use super::API;
use super::update::{create, delete, same_keys};
use super::write::put_all;
use crate::core::content::{ContentRef, Contents};
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, items};

/// Items that are read back before they are written together.
const TOGETHER: usize = 100;

/// Deletes the table and makes it as `after` says; gives the new one's description.
pub(super) async fn rebuild(
    cx: &Scope<'_>,
    name: &str,
    now: &Record,
    after: &Record,
    contents: &dyn Contents,
) -> Result<Json> {
    let kept = if same_keys(now, after) { set_aside(cx, name, contents).await? } else { None };
    delete(cx, name).await?;
    let live = create(cx, name, after).await?;
    if let Some(kept) = kept {
        put_back(cx, name, &kept, contents).await?;
    }
    Ok(live)
}

/// Writes all items of the table into content, one line of JSON each; none if there are none.
async fn set_aside(cx: &Scope<'_>, name: &str, contents: &dyn Contents) -> Result<Option<ContentRef>> {
    let request = Request::json(&API, "Scan", json!({"TableName": name, "ConsistentRead": true}));
    let mut pages = cx.pages(request, "ExclusiveStartKey", "LastEvaluatedKey");
    let mut writer = None;
    while let Some(page) = pages.next().await? {
        for item in items(&page["Items"]) {
            let writer = writer.get_or_insert_with(|| contents.write_content());
            writer.write(format!("{item}\n").as_bytes())?;
        }
    }
    writer.map(|writer| writer.finish()).transpose()
}

async fn put_back(cx: &Scope<'_>, name: &str, kept: &ContentRef, contents: &dyn Contents) -> Result<()> {
    let mut rest = Vec::new();
    let mut items = Vec::new();
    for piece in contents.read_content(kept) {
        rest.extend_from_slice(&piece?);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let item: Json = serde_json::from_slice(&line).map_err(|_| Error::failed("an item set aside is broken"))?;
            items.push(item);
        }
        if items.len() >= TOGETHER {
            put_all(cx, name, std::mem::take(&mut items)).await?;
        }
    }
    put_all(cx, name, items).await
}
