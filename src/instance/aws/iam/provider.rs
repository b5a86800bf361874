//! Identity providers: OpenID Connect, named after the URL, and SAML, with the metadata document as its maker wrote it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Params, call, described_tags, params, retag, tag_params, text, unless_unsupported};
use crate::core::record::Record;
use crate::core::value::Value;
use crate::error::Result;
use crate::instance::aws::{Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};

/// How IAM names one of the two in its actions and parameters.
pub(super) struct Provider {
    /// In addresses and ARNs.
    pub(super) kind: &'static str,
    /// In actions: `GetSAMLProvider`.
    word: &'static str,
    /// In parameters.
    arn: &'static str,
    /// The list in the answer to a listing.
    list: &'static str,
}

pub(super) const OIDC: Provider = Provider {
    kind: "oidc-provider",
    word: "OpenIDConnectProvider",
    arn: "OpenIDConnectProviderArn",
    list: "OpenIDConnectProviderList",
};
pub(super) const SAML: Provider =
    Provider { kind: "saml-provider", word: "SAMLProvider", arn: "SAMLProviderArn", list: "SAMLProviderList" };

const METADATA: &str = "SAMLMetadataDocument";
const CLIENTS: &str = "ClientIDList";
const THUMBPRINTS: &str = "ThumbprintList";

impl Provider {
    fn is_saml(&self) -> bool {
        self.kind == SAML.kind
    }

    fn arn(&self, cx: &Scope<'_>, name: &str) -> String {
        format!("arn:aws:iam::{}:{}/{name}", cx.account, self.kind)
    }

    pub(super) async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        // The one listing of IAM that has no pages.
        let answer = call(cx, &format!("List{}s", self.word), &params([])).await?;
        let arns = items(&answer[self.list]).iter().filter_map(|provider| text(provider, "Arn"));
        let names = arns.filter_map(|arn| arn.split_once(&format!(":{}/", self.kind)));
        let found = names.map(|(_, name)| (cx.address(self.kind, name), name.to_owned())).collect();
        cx.each(sink, found, |address, name| async move {
            match self.look(cx, &name).await? {
                Some(record) => sink.record(address, record),
                None => Ok(()),
            }
        })
        .await
    }

    async fn look(&self, cx: &Scope<'_>, name: &str) -> Result<Option<Record>> {
        let arn = self.arn(cx, name);
        let it = params([(self.arn, &arn)]);
        let Some(answer) = found(call(cx, &format!("Get{}", self.word), &it).await)? else { return Ok(None) };
        let mut attributes = BTreeMap::new();
        if let Some(metadata) = text(&answer, METADATA) {
            attributes.insert(METADATA.to_owned(), Value::text(metadata));
        }
        for list in [CLIENTS, THUMBPRINTS] {
            let members: Vec<&str> = items(&answer[list]).iter().filter_map(Json::as_str).collect();
            if !members.is_empty() {
                attributes.insert(list.to_owned(), Value::text_set(members));
            }
        }
        // AWS tells a SAML provider's tags with the rest, LocalStack and fakecloud only when asked for them.
        let tags = match described_tags(&answer["Tags"]) {
            None if self.is_saml() => {
                let told = unless_unsupported(cx, call(cx, "ListSAMLProviderTags", &it).await)?;
                told.and_then(|told| described_tags(&told["Tags"]))
            }
            tags => tags,
        };
        attributes.extend(tags);
        Ok(Some(Record::new(attributes)))
    }

    pub(super) async fn apply(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let name = step.address.name();
        let Some(after) = &step.after else { return self.delete(cx, name).await };
        match self.look(cx, name).await? {
            None => self.create(cx, name, after).await,
            Some(live) if self.update(cx, name, &live, after).await? => Ok(()),
            Some(_) => {
                self.delete(cx, name).await?;
                self.create(cx, name, after).await
            }
        }
    }

    async fn create(&self, cx: &Scope<'_>, name: &str, after: &Record) -> Result<()> {
        let mut create = if self.is_saml() {
            params([("Name", name), (METADATA, after.text(METADATA).unwrap_or_default())])
        } else {
            params([("Url", &format!("https://{name}"))])
        };
        for list in [CLIENTS, THUMBPRINTS] {
            create.extend(numbered(list, &members(after, list)));
        }
        create.extend(tag_params(&tags::changes(None, after.attributes.get("Tags")).0));
        call(cx, &format!("Create{}", self.word), &create).await.map_err(refused)?;
        Ok(())
    }

    /// False if the instance has no call for what changes: ministack for all of an OIDC provider, moto for its clients.
    async fn update(&self, cx: &Scope<'_>, name: &str, live: &Record, after: &Record) -> Result<bool> {
        let arn = self.arn(cx, name);
        let mut calls: Vec<(String, Params)> = Vec::new();
        if self.is_saml() && live.text(METADATA) != after.text(METADATA) {
            let metadata = after.text(METADATA).unwrap_or_default();
            calls.push(("UpdateSAMLProvider".to_owned(), params([(self.arn, &arn), (METADATA, metadata)])));
        }
        let (old, new) = (members(live, CLIENTS), members(after, CLIENTS));
        for (action, clients, others) in [("AddClientIDTo", &new, &old), ("RemoveClientIDFrom", &old, &new)] {
            for client in clients.iter().filter(|client| !others.contains(client)) {
                calls.push((format!("{action}{}", self.word), params([(self.arn, &arn), ("ClientID", client)])));
            }
        }
        let thumbprints = members(after, THUMBPRINTS);
        if members(live, THUMBPRINTS) != thumbprints {
            let mut update = params([(self.arn, &arn)]);
            update.extend(numbered(THUMBPRINTS, &thumbprints));
            calls.push((format!("Update{}Thumbprint", self.word), update));
        }
        for (action, params) in calls {
            let answer = unless_unsupported(cx, call(cx, &action, &params).await);
            if answer.map_err(refused)?.is_none() {
                return Ok(false);
            }
        }
        let (before, after) = (live.attributes.get("Tags"), after.attributes.get("Tags"));
        retag(cx, self.word, (self.arn, &arn), before, after).await?;
        Ok(true)
    }

    async fn delete(&self, cx: &Scope<'_>, name: &str) -> Result<()> {
        let it = params([(self.arn, &self.arn(cx, name))]);
        found(call(cx, &format!("Delete{}", self.word), &it).await).map_err(refused)?;
        Ok(())
    }
}

fn members<'r>(record: &'r Record, list: &str) -> Vec<&'r str> {
    match record.attributes.get(list) {
        Some(Value::Set(members)) => members.iter().filter_map(Value::as_text).collect(),
        _ => Vec::new(),
    }
}

/// A list as a request spells it.
fn numbered(list: &str, members: &[&str]) -> Params {
    let member = |(index, member): (usize, &&str)| (format!("{list}.member.{}", index + 1), (*member).to_owned());
    members.iter().enumerate().map(member).collect()
}
