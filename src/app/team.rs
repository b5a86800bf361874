//! `team`: creating one, inviting, joining, and who may do what.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::state::App;
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::error::{Error, Result};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleView {
    /// Change the roster, and all that follows.
    Admin,
    /// Sign heads, and fetch.
    Writer,
    /// Fetch.
    Reader,
}

impl RoleView {
    /// Every role by its name on the command line.
    pub const NAMES: [(&'static str, RoleView); 3] =
        [("admin", RoleView::Admin), ("writer", RoleView::Writer), ("reader", RoleView::Reader)];
}

impl FromStr for RoleView {
    type Err = Error;

    fn from_str(text: &str) -> Result<RoleView> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, role)| *role).ok_or_else(|| Error::usage(format!("\"{text}\" is not a role")))
    }
}

/// Asks to start a team with this node as its first admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamCreate {
    /// The team's name.
    pub team: String,
    /// This node's name in it; none: the user's.
    pub member: Option<String>,
}

/// Asks for a ticket that admits one new member, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamInvite {
    /// What the new member may do.
    pub role: RoleView,
    /// How long the ticket is good.
    pub expires: Duration,
}

/// Asks to join by a ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamJoin {
    /// As `team invite` printed it.
    pub ticket: String,
    /// This node's name in the team; none: the user's.
    pub member: Option<String>,
    /// How long to try to reach the inviter.
    pub timeout: Option<Duration>,
}

/// Asks who is in the team.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamMembers {}

/// Asks to change what a member may do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamRole {
    /// The member's name, or the first digits of its key.
    pub member: String,
    /// What it may do from now on.
    pub role: RoleView,
}

/// Asks to remove a member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamRemove {
    /// The member's name, or the first digits of its key.
    pub member: String,
}

/// The team, after it was created, joined or changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamOutcome {
    /// The team's name.
    pub team: String,
    /// Its id: the hash that everything signed for the team names.
    pub id: String,
    /// Who is in it.
    pub members: Vec<MemberView>,
}

/// A ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InviteOutcome {
    /// The team's name.
    pub team: String,
    /// The ticket; whoever has it can join once.
    pub ticket: String,
    /// What its bearer may do.
    pub role: RoleView,
    /// When it ends, RFC 3339.
    pub expires: String,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its name.
    pub member: String,
    /// Its key, 64 hex digits.
    pub key: String,
    /// What it may do; none when it was removed.
    pub role: Option<RoleView>,
    /// Whether it is this node.
    pub own: bool,
}

/// The name of this node's team, if it is in one.
pub fn name(app: &App) -> Result<Option<String>> {
    let _ = app;
    Ok(None)
}

/// Every member's newest head of a pod that counts, this node's own signed one included.
pub fn member_heads(app: &App, pod: &str) -> Result<Vec<(Author, Name)>> {
    let _ = (app, pod);
    Ok(vec![])
}

/// The newest head that counts of the member with this name, or whose key begins with it.
pub fn head_of(app: &App, pod: &str, member: &str) -> Result<Option<Name>> {
    let _ = (app, pod, member);
    Ok(None)
}

/// A member's name in the roster, also after it was removed.
pub fn member_name(app: &App, author: &Author) -> Result<Option<String>> {
    let _ = (app, author);
    Ok(None)
}

/// The pods of which anybody in the team has a head.
pub fn pods_with_heads(app: &App) -> Result<Vec<String>> {
    let _ = app;
    Ok(vec![])
}

/// Signs this version as the pod's next head, in a chain with the last one, and stores it. Returns its number.
///
/// The head that is signed already is not signed again. Fails where this node is in no team, or no writer in it.
pub fn sign_head(app: &App, pod: &str, version: &Name) -> Result<u64> {
    let _ = (app, pod, version);
    Err(Error::failed("not built yet"))
}

/// Starts a team.
pub async fn create(app: &App, cx: &Context, request: TeamCreate, events: &Events) -> Result<TeamOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Makes a ticket.
pub async fn invite(app: &App, cx: &Context, request: TeamInvite, events: &Events) -> Result<InviteOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Joins.
pub async fn join(app: &App, cx: &Context, request: TeamJoin, events: &Events) -> Result<TeamOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Who is in the team.
pub async fn members(app: &App, cx: &Context, request: TeamMembers, events: &Events) -> Result<TeamOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Changes a role.
pub async fn role(app: &App, cx: &Context, request: TeamRole, events: &Events) -> Result<TeamOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}

/// Removes a member.
pub async fn remove(app: &App, cx: &Context, request: TeamRemove, events: &Events) -> Result<TeamOutcome> {
    let _ = (app, cx, request, events);
    Err(Error::failed("not built yet"))
}
