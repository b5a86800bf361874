//! Roles, users and groups: IAM treats them alike but for a role's trust policy and a group's members.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::record::Record;
use crate::core::value::{Number, Value};
use crate::error::{Error, Result};
use crate::instance::aws::{Request, Scope, found, items, refused, tags};
use crate::instance::{Sink, Step};

use super::group::{self, MEMBERS};
use super::{API, Params, call, document, is_built_in, params, profile, retag, tag_params, text, unless_unsupported};

/// How IAM names one of the three in its actions and parameters.
pub(super) struct Principal {
    /// In addresses.
    kind: &'static str,
    /// In actions: `GetRole`.
    word: &'static str,
    /// In parameters.
    name: &'static str,
}

pub(super) const ROLE: Principal = Principal { kind: "role", word: "Role", name: "RoleName" };
pub(super) const USER: Principal = Principal { kind: "user", word: "User", name: "UserName" };
pub(super) const GROUP: Principal = Principal { kind: "group", word: "Group", name: "GroupName" };

/// Attributes that a role has and a user has not.
const TRUST: &str = "AssumeRolePolicyDocument";
const SESSION: &str = "MaxSessionDuration";

impl Principal {
    fn is_role(&self) -> bool {
        self.kind == ROLE.kind
    }

    fn is_group(&self) -> bool {
        self.kind == GROUP.kind
    }

    pub(super) async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()> {
        let mut names = Vec::new();
        let (list, field) = (format!("List{}s", self.word), format!("{}s", self.word));
        let mut pages = cx.pages(Request::form(&API, &list, &[]), "Marker", "Marker");
        while let Some(page) = pages.next().await? {
            for entity in items(&page[&field]) {
                let (arn, path) = (text(entity, "Arn").unwrap_or_default(), text(entity, "Path").unwrap_or("/"));
                if let Some(name) = text(entity, self.name).filter(|_| !is_built_in(arn, path)) {
                    names.push((cx.address(self.kind, name), name.to_owned()));
                }
            }
        }
        cx.each(sink, names, |address, name| async move {
            if let Some((record, id)) = self.look(cx, &name).await? {
                sink.mark(&address, &id);
                sink.record(address, record)?;
            }
            Ok(())
        })
        .await
    }

    /// It as it stands there, and its generated id.
    async fn look(&self, cx: &Scope<'_>, name: &str) -> Result<Option<(Record, String)>> {
        let it = params([(self.name, name)]);
        let Some(answer) = found(call(cx, &format!("Get{}", self.word), &it).await)? else { return Ok(None) };
        let entity = &answer[self.word];
        let mut attributes = BTreeMap::from([("Path".to_owned(), Value::text(text(entity, "Path").unwrap_or("/")))]);
        if self.is_role() {
            attributes.insert(TRUST.to_owned(), document(cx, text(entity, TRUST).unwrap_or_default()));
            let session = text(entity, SESSION).unwrap_or("3600");
            attributes.insert(SESSION.to_owned(), Value::Number(Number::parse(session)?));
        }
        if let Some(description) = text(entity, "Description") {
            attributes.insert("Description".to_owned(), description.into());
        }
        if let Some(boundary) = text(&entity["PermissionsBoundary"], "PermissionsBoundaryArn") {
            attributes.insert("PermissionsBoundary".to_owned(), cx.portable_text(boundary).into());
        }
        if let Some(tags) = tags::from_list(&entity["Tags"]) {
            attributes.insert("Tags".to_owned(), tags);
        }
        let inline = self.inline_policies(cx, name).await?;
        if !inline.is_empty() {
            attributes.insert("Policies".to_owned(), Value::Map(inline));
        }
        let attached = self.attached_policies(cx, name).await?;
        if !attached.is_empty() {
            let portable = attached.iter().map(|arn| cx.portable_text(arn));
            attributes.insert("AttachedPolicies".to_owned(), Value::text_set(portable));
        }
        if self.is_group() {
            let members = group::members(cx, name).await?;
            if !members.is_empty() {
                attributes.insert(MEMBERS.to_owned(), Value::text_set(members));
            }
        }
        let id = text(entity, &format!("{}Id", self.word)).unwrap_or_default().to_owned();
        Ok(Some((Record::new(attributes), id)))
    }

    async fn inline_policies(&self, cx: &Scope<'_>, name: &str) -> Result<BTreeMap<String, Value>> {
        let mut policies = BTreeMap::new();
        let list = Request::form(&API, &format!("List{}Policies", self.word), &[(self.name, name)]);
        let mut pages = cx.pages(list, "Marker", "Marker");
        while let Some(page) = pages.next().await? {
            for policy in items(&page["PolicyNames"]).iter().filter_map(|policy| policy.as_str()) {
                let get = params([(self.name, name), ("PolicyName", policy)]);
                let answer = call(cx, &format!("Get{}Policy", self.word), &get).await?;
                policies.insert(policy.to_owned(), document(cx, text(&answer, "PolicyDocument").unwrap_or_default()));
            }
        }
        Ok(policies)
    }

    async fn attached_policies(&self, cx: &Scope<'_>, name: &str) -> Result<BTreeSet<String>> {
        let mut arns = BTreeSet::new();
        let list = Request::form(&API, &format!("ListAttached{}Policies", self.word), &[(self.name, name)]);
        let mut pages = cx.pages(list, "Marker", "Marker");
        while let Some(page) = pages.next().await? {
            arns.extend(
                items(&page["AttachedPolicies"])
                    .iter()
                    .filter_map(|policy| text(policy, "PolicyArn"))
                    .map(str::to_owned),
            );
        }
        Ok(arns)
    }

    pub(super) async fn apply(&self, cx: &Scope<'_>, step: &Step) -> Result<()> {
        let name = step.address.name();
        let Some(after) = &step.after else { return self.delete(cx, name).await };
        // What stands there now is looked up, not taken from the step: a step that was cut off goes on where it was.
        let mut live = self.look(cx, name).await?.map(|(record, _)| record);
        let mut within = Vec::new();
        if live.as_ref().is_some_and(|live| live.text("Path") != after.text("Path")) {
            within = self.within(cx, name).await?;
            self.delete(cx, name).await?;
            live = None;
        }
        let live = match live {
            Some(live) => {
                self.update(cx, name, &live, after).await?;
                live
            }
            None => {
                self.create(cx, name, after).await?;
                Record::default()
            }
        };
        self.put_inline_policies(cx, name, &live, after).await?;
        self.attach_policies(cx, name, &live, after).await?;
        for place in within {
            match self.is_role() {
                true => profile::add(cx, &place, name).await?,
                false => group::add(cx, &place, name).await.map_err(refused)?,
            }
        }
        if self.is_group() { group::put_members(cx, name, after).await } else { Ok(()) }
    }

    /// The groups that a user is in, or the instance profiles of a role: it leaves them when it is made anew.
    async fn within(&self, cx: &Scope<'_>, name: &str) -> Result<Vec<String>> {
        let (list, field, part) = match self.kind {
            "role" => ("ListInstanceProfilesForRole", "InstanceProfiles", "InstanceProfileName"),
            "user" => ("ListGroupsForUser", "Groups", "GroupName"),
            _ => return Ok(Vec::new()),
        };
        let answer = unless_unsupported(cx, call(cx, list, &params([(self.name, name)])).await)?.unwrap_or_default();
        Ok(items(&answer[field]).iter().filter_map(|place| text(place, part)).map(str::to_owned).collect())
    }

    async fn create(&self, cx: &Scope<'_>, name: &str, after: &Record) -> Result<()> {
        let mut create = params([(self.name, name), ("Path", after.text("Path").unwrap_or("/"))]);
        if self.is_role() {
            create.push((TRUST.to_owned(), cx.document_text(self.trust(after)?)));
            create.push((SESSION.to_owned(), session(after)));
        }
        if let Some(description) = after.text("Description") {
            create.push(("Description".to_owned(), description.to_owned()));
        }
        if let Some(boundary) = after.text("PermissionsBoundary") {
            create.push(("PermissionsBoundary".to_owned(), cx.local_text(boundary)));
        }
        create.extend(tag_params(&tags::changes(None, after.attributes.get("Tags")).0));
        call(cx, &format!("Create{}", self.word), &create).await.map_err(refused)?;
        Ok(())
    }

    async fn update(&self, cx: &Scope<'_>, name: &str, live: &Record, after: &Record) -> Result<()> {
        let differs = |attribute: &str| live.attributes.get(attribute) != after.attributes.get(attribute);
        if self.is_role() && differs(TRUST) {
            let text = cx.document_text(self.trust(after)?);
            let trust = params([("RoleName", name), ("PolicyDocument", &text)]);
            call(cx, "UpdateAssumeRolePolicy", &trust).await.map_err(refused)?;
        }
        let description = after.text("Description").unwrap_or_default();
        if self.is_role() && differs(SESSION) {
            let update = params([("RoleName", name), ("Description", description), (SESSION, &session(after))]);
            call(cx, "UpdateRole", &update).await.map_err(refused)?;
        }
        // Apart: ministack takes an empty description in UpdateRole for none that is given.
        if self.is_role() && differs("Description") {
            let update = params([("RoleName", name), ("Description", description)]);
            call(cx, "UpdateRoleDescription", &update).await.map_err(refused)?;
        }
        if differs("PermissionsBoundary") {
            let change = match after.text("PermissionsBoundary") {
                Some(boundary) => {
                    let put = params([(self.name, name), ("PermissionsBoundary", &cx.local_text(boundary))]);
                    call(cx, &format!("Put{}PermissionsBoundary", self.word), &put).await
                }
                None => {
                    call(cx, &format!("Delete{}PermissionsBoundary", self.word), &params([(self.name, name)])).await
                }
            };
            unless_unsupported(cx, change)?;
        }
        let (before, after) = (live.attributes.get("Tags"), after.attributes.get("Tags"));
        retag(cx, self.word, (self.name, name), before, after).await
    }

    async fn put_inline_policies(&self, cx: &Scope<'_>, name: &str, live: &Record, after: &Record) -> Result<()> {
        let (live, after) = (policies(live), policies(after));
        for (policy, document) in &after {
            if live.get(policy) != Some(document) {
                let text = cx.document_text(document);
                let put = params([(self.name, name), ("PolicyName", policy), ("PolicyDocument", &text)]);
                call(cx, &format!("Put{}Policy", self.word), &put).await.map_err(refused)?;
            }
        }
        for policy in live.keys().filter(|policy| !after.contains_key(*policy)) {
            self.delete_inline_policy(cx, name, policy).await?;
        }
        Ok(())
    }

    async fn delete_inline_policy(&self, cx: &Scope<'_>, name: &str, policy: &str) -> Result<()> {
        let delete = params([(self.name, name), ("PolicyName", policy)]);
        found(call(cx, &format!("Delete{}Policy", self.word), &delete).await)?;
        Ok(())
    }

    async fn attach_policies(&self, cx: &Scope<'_>, name: &str, live: &Record, after: &Record) -> Result<()> {
        let (live, after) = (attached(cx, live), attached(cx, after));
        for arn in after.difference(&live) {
            let attach = call(cx, &format!("Attach{}Policy", self.word), &self.attachment(name, arn)).await;
            // moto knows AWS-managed policies only when told to load them: then the attachment is lost, not the role.
            match attach {
                Err(error) if error.is_missing() && arn.contains(":iam::aws:") => {}
                other => drop(other.map_err(refused)?),
            }
        }
        for arn in live.difference(&after) {
            self.detach(cx, name, arn).await?;
        }
        Ok(())
    }

    fn attachment(&self, name: &str, arn: &str) -> Params {
        params([(self.name, name), ("PolicyArn", arn)])
    }

    async fn detach(&self, cx: &Scope<'_>, name: &str, arn: &str) -> Result<()> {
        found(call(cx, &format!("Detach{}Policy", self.word), &self.attachment(name, arn)).await)?;
        Ok(())
    }

    fn trust<'a>(&self, record: &'a Record) -> Result<&'a Value> {
        record.attributes.get(TRUST).ok_or_else(|| Error::failed("a role without a trust policy"))
    }

    /// Deletes it with everything that IAM wants gone first, also what peapod does not record.
    async fn delete(&self, cx: &Scope<'_>, name: &str) -> Result<()> {
        let it = params([(self.name, name)]);
        if self.look(cx, name).await?.is_none() {
            return Ok(());
        }
        for policy in self.inline_policies(cx, name).await?.keys() {
            self.delete_inline_policy(cx, name, policy).await?;
        }
        for arn in self.attached_policies(cx, name).await? {
            self.detach(cx, name, &arn).await?;
        }
        // (list, its field, the part of an entry that names it, the deletion, how that is called there)
        for user in if self.is_group() { group::members(cx, name).await? } else { BTreeSet::new() } {
            group::remove(cx, name, &user).await?;
        }
        let rest: &[[&str; 4]] = if self.is_group() {
            &[]
        } else if self.is_role() {
            &[[
                "ListInstanceProfilesForRole",
                "InstanceProfiles",
                "InstanceProfileName",
                "RemoveRoleFromInstanceProfile",
            ]]
        } else {
            &[
                ["ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", "DeleteAccessKey"],
                ["ListGroupsForUser", "Groups", "GroupName", "RemoveUserFromGroup"],
            ]
        };
        for [list, field, part, removal] in rest {
            let Some(answer) = unless_unsupported(cx, call(cx, list, &it).await)? else { continue };
            for entry in items(&answer[*field]).iter().filter_map(|entry| text(entry, part)) {
                found(call(cx, removal, &params([(self.name, name), (part, entry)])).await)?;
            }
        }
        if self.kind == USER.kind {
            unless_unsupported(cx, found(call(cx, "DeleteLoginProfile", &it).await))?;
        }
        found(call(cx, &format!("Delete{}", self.word), &it).await)?;
        Ok(())
    }
}

fn session(record: &Record) -> String {
    match record.attributes.get(SESSION) {
        Some(Value::Number(seconds)) => seconds.as_str().to_owned(),
        _ => "3600".to_owned(),
    }
}

fn policies(record: &Record) -> BTreeMap<String, Value> {
    record.attributes.get("Policies").and_then(Value::as_map).cloned().unwrap_or_default()
}

/// The ARNs of the attached policies, in this instance's account.
fn attached(cx: &Scope<'_>, record: &Record) -> BTreeSet<String> {
    match record.attributes.get("AttachedPolicies") {
        Some(Value::Set(arns)) => arns.iter().filter_map(Value::as_text).map(|arn| cx.local_text(arn)).collect(),
        _ => BTreeSet::new(),
    }
}
