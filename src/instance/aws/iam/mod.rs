//! IAM: customer managed policies, roles, users and groups with what is attached to them, instance profiles, identity
//! providers.
//!
//! What AWS or the emulator brings along (AWS-managed policies, service-linked roles) is not recorded; attachments to
//! AWS-managed policies are. Access keys and passwords are not: an instance does not give their secrets, so nothing
//! could bring them back. Nor are a policy's older versions, devices and certificates.

mod group;
mod policy;
mod principal;
mod profile;
mod provider;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::instance::aws::{Api, ApiError, Emulator, Request, Scope, Service, tags};
use crate::instance::{Sink, Stage, Step};

const API: Api = Api::query("iam", "2010-05-08");

/// The service.
pub struct Iam;

#[async_trait]
impl Service for Iam {
    fn name(&self) -> &'static str {
        "iam"
    }

    fn is_global(&self) -> bool {
        true
    }

    fn probe(&self) -> Option<Request> {
        Some(Request::form(&API, "ListUsers", &[("MaxItems", "1")]))
    }

    /// Policies come first: roles and users refer to them by attachment and as permissions boundary. So do providers,
    /// which roles trust; groups and profiles have users and roles in them.
    fn stage(&self, address: &Address) -> Stage {
        match address.kind() {
            "policy" | "oidc-provider" | "saml-provider" => Stage::Foundation,
            "group" | profile::PROFILE => Stage::Dependent,
            _ => Stage::Resource,
        }
    }

    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let kinds = [
            ("policy", policy::capture(cx, sink).await),
            ("role", principal::ROLE.capture(cx, sink).await),
            ("user", principal::USER.capture(cx, sink).await),
            ("group", principal::GROUP.capture(cx, sink).await),
            (profile::PROFILE, profile::capture(cx, sink).await),
            (provider::OIDC.kind, provider::OIDC.capture(cx, sink).await),
            (provider::SAML.kind, provider::SAML.capture(cx, sink).await),
        ];
        cx.each_kind(sink, kinds)
    }

    async fn apply(&self, cx: &Scope<'_>, step: &Step, _contents: &dyn Contents) -> Result<()> {
        match step.address.kind() {
            "policy" => policy::apply(cx, step).await,
            "role" => principal::ROLE.apply(cx, step).await,
            "user" => principal::USER.apply(cx, step).await,
            "group" => principal::GROUP.apply(cx, step).await,
            profile::PROFILE => profile::apply(cx, step).await,
            "oidc-provider" => provider::OIDC.apply(cx, step).await,
            "saml-provider" => provider::SAML.apply(cx, step).await,
            kind => Err(Error::failed(format!("this peapod can't restore an IAM {kind}"))
                .hint("it was captured by a newer peapod: update this one")),
        }
    }
}

/// The parameters of one query request.
type Params = Vec<(String, String)>;

fn params<const N: usize>(pairs: [(&str, &str); N]) -> Params {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

async fn call(cx: &Scope<'_>, action: &str, params: &Params) -> Result<Json, ApiError> {
    let pairs: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    cx.query(&API, action, &pairs).await
}

/// Tags as a request spells them: `Tags.member.1.Key=..`.
fn tag_params(pairs: &[(String, String)]) -> Params {
    let numbered = pairs.iter().enumerate().flat_map(|(index, (key, value))| {
        let prefix = format!("Tags.member.{}", index + 1);
        [(format!("{prefix}.Key"), key.clone()), (format!("{prefix}.Value"), value.clone())]
    });
    numbered.collect()
}

/// Brings the tags of one entity, named by `name`, from `before` to `after`.
async fn retag(
    cx: &Scope<'_>,
    kind: &str,
    name: (&str, &str),
    before: Option<&Value>,
    after: Option<&Value>,
) -> Result<()> {
    let (put, removed) = tags::changes(before, after);
    if !removed.is_empty() {
        let mut untag = params([name]);
        untag.extend(
            removed.iter().enumerate().map(|(index, key)| (format!("TagKeys.member.{}", index + 1), key.clone())),
        );
        unless_unsupported(cx, call(cx, &format!("Untag{kind}"), &untag).await)?;
    }
    if !put.is_empty() {
        let mut tag = params([name]);
        tag.extend(tag_params(&put));
        unless_unsupported(cx, call(cx, &format!("Tag{kind}"), &tag).await)?;
    }
    Ok(())
}

/// The attribute that an answer's tags are.
fn described_tags(json: &Json) -> Option<(String, Value)> {
    tags::from_list(json).map(|tags| ("Tags".to_owned(), tags))
}

/// What an emulator does not offer is not kept there; that is reported by the echo and costs no more. moto breaks down
/// over an action that it does not know.
fn unless_unsupported<T>(cx: &Scope<'_>, answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_unsupported() || (cx.emulator == Emulator::Moto && error.status == 500) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A policy document out of an answer. IAM percent-encodes it; a document begins with a brace, so one that an
/// emulator did not encode is told apart.
fn document(cx: &Scope<'_>, text: &str) -> Value {
    if text.trim_start().starts_with('{') {
        return cx.document(text);
    }
    cx.document(&percent_encoding::percent_decode_str(text).decode_utf8_lossy())
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    json[name].as_str().filter(|text| !text.is_empty())
}

/// Whether AWS or the emulator made it, not the user.
fn is_built_in(arn: &str, path: &str) -> bool {
    arn.contains(":iam::aws:") || path.starts_with("/aws-service-role/")
}
