//! `team`: creating one, inviting, joining, and who may do what.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::clock::{now, rfc3339};
use crate::app::context::Context;
use crate::app::events::Events;
use crate::app::inviter;
use crate::app::ledger::{Change, forget_invite, in_a_team, keep_invite, keep_peer, no_team};
use crate::app::reach;
use crate::app::state::App;
use crate::core::codec;
use crate::core::identity::Author;
use crate::core::name::Name;
use crate::core::redact::Rule;
use crate::core::reference::{At, Reference};
use crate::core::roster::{Member, Role};
use crate::core::ticket::Ticket;
use crate::core::version::check_name;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::sync::heads::Ledger;
use crate::sync::message::{JoinRequest, Request, Response};
use crate::sync::report::Link;
use crate::sync::{decide, join};

/// How long an inviter is tried when nobody says.
const JOIN_TIME: Duration = Duration::from_secs(30);

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
    pub role: Role,
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
    pub role: Role,
}

/// Asks to remove a member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamRemove {
    /// The member's name, or the first digits of its key.
    pub member: String,
}

/// Asks to name the head that counts of a member who signed two with one number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamSettle {
    /// The member's name, or the first digits of its key.
    pub member: String,
    /// The pod, and the first digits of the version that the head names.
    pub head: Reference,
}

/// Asks what the team withholds, or changes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamRedact {
    /// The rule that comes or goes; none to ask only.
    pub rule: Option<String>,
    /// Whether it goes.
    pub remove: bool,
}

/// What the team withholds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamRedactOutcome {
    /// The team's name.
    pub team: String,
    /// The rules, in the order of their texts.
    pub rules: Vec<String>,
}

/// The team, after it was created, joined or changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TeamOutcome {
    /// The team's name.
    pub team: String,
    /// Its id: the hash that everything signed for the team names.
    pub id: String,
    /// Who is in it: admins first, then by name, removed members last.
    pub members: Vec<MemberView>,
    /// Whose heads stand still because they signed two with one number.
    pub frozen: Vec<FrozenView>,
}

/// A pod of a member whose heads of it stand still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenView {
    /// Its name.
    pub member: String,
    /// Its key, 64 hex digits.
    pub key: String,
    /// The pod.
    pub pod: String,
    /// The versions that the two heads name.
    pub versions: Vec<String>,
}

/// A ticket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InviteOutcome {
    /// The team's name.
    pub team: String,
    /// The ticket; whoever has it can join once.
    pub ticket: String,
    /// What its bearer may do.
    pub role: Role,
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
    pub role: Option<Role>,
    /// Who removed it, when it was removed.
    pub removed_by: Option<String>,
    /// Whether it is this node.
    pub own: bool,
}

/// The name of this node's team, if it is in one.
pub fn name(app: &App) -> Result<Option<String>> {
    Ok(app.team.roster().map(|roster| roster.name.clone()))
}

/// Every member's newest head of a pod that counts, this node's own signed one included.
pub fn member_heads(app: &App, pod: &str) -> Result<Vec<(Author, Name)>> {
    let of_pod = |ledger: &Ledger| {
        let heads = ledger.heads().filter(|head| head.pod == pod);
        heads.map(|head| (head.author, head.version)).collect()
    };
    Ok(app.team.look(of_pod).unwrap_or_default())
}

/// The newest head that counts of the member with this name, or whose key begins with it.
pub fn head_of(app: &App, pod: &str, member: &str) -> Result<Option<Name>> {
    let Some(roster) = app.team.roster() else { return Ok(None) };
    let author = match roster.find(member) {
        Ok(author) => author,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(app.team.look(|ledger| ledger.head(pod, &author).map(|head| head.version)).flatten())
}

/// A member's name in the roster, also after it was removed.
pub fn member_name(app: &App, author: &Author) -> Result<Option<String>> {
    Ok(app.team.roster().and_then(|roster| roster.members.get(author).map(|member| member.name.clone())))
}

/// The pods of which anybody in the team has a head.
pub fn pods_with_heads(app: &App) -> Result<Vec<String>> {
    let pods = |ledger: &Ledger| ledger.heads().map(|head| head.pod.clone()).collect::<BTreeSet<_>>();
    Ok(app.team.look(pods).unwrap_or_default().into_iter().collect())
}

/// Fails unless this node is in a team.
pub fn require_member(app: &App) -> Result<Role> {
    let roster = app.team.roster().ok_or_else(no_team)?;
    roster.role(&app.secret.author()).ok_or_else(|| {
        let by = removed_by(app, &app.secret.author()).map(|admin| format!(" by {admin}")).unwrap_or_default();
        Error::denied(format!("this node was removed from the team \"{}\"{by}", roster.name))
            .hint("ask an admin for a new invite, and join from a new home (--home)")
    })
}

/// Who removed a member, if it was removed: the admin's name in the roster.
pub fn removed_by(app: &App, member: &Author) -> Option<String> {
    let admin = app.team.look(|ledger| ledger.removal(member).map(|entry| entry.admin)).flatten()?;
    app.team.roster()?.members.get(&admin).map(|admin| admin.name.clone())
}

/// Fails unless this node may sign heads: before anything is captured for one.
pub fn require_writer(app: &App) -> Result<()> {
    match require_member(app)? {
        Role::Admin | Role::Writer => Ok(()),
        Role::Reader => Err(Error::denied("this node may only read in its team")
            .hint("ask an admin for `peapod team role NAME writer`")),
    }
}

/// Signs this version as the pod's next head, in a chain with the last one, and stores it. Returns its number.
///
/// The head that is signed already is not signed again. Fails where this node is in no team, or no writer in it. A
/// running node first compares with the peers it reaches ([`crate::app::node`]), so that its own newer heads come back.
pub fn sign_head(app: &App, pod: &str, version: &Name) -> Result<u64> {
    app.team.decide(|ledger| {
        let head = ledger.say_head(pod, *version, &app.secret, now())?;
        let value = ledger.head(pod, &app.secret.author()).map_or(0, |head| head.seq);
        Ok(Change { value, links: head.into_iter().map(Link::Head).collect(), writes: vec![] })
    })
}

/// Starts a team.
pub async fn create(app: &App, cx: &Context, request: TeamCreate, _events: &Events) -> Result<TeamOutcome> {
    let member = request.member.map_or_else(|| default_name(&cx.user), Ok)?;
    if let Some(roster) = app.team.roster() {
        return Err(in_a_team(&roster));
    }
    let (ledger, _) = decide::found(&request.team, &member, &app.secret, now())?;
    app.team.enter(ledger, vec![])?;
    outcome(app)
}

/// Makes a ticket. Needs a running node, since it says where to find it and lets the new member in.
pub async fn invite(app: &App, _cx: &Context, request: TeamInvite, _events: &Events) -> Result<InviteOutcome> {
    let roster = app.team.roster().ok_or_else(no_team)?;
    let addresses = reachable(app.node()?.listening());
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Error::failed(format!("no random bytes for an invite: {error}")))?;
    let expires = now().saturating_add(u64::try_from(request.expires.as_millis()).unwrap_or(u64::MAX));
    let kept = app.team.invites()?;
    let (over, open): (Vec<_>, Vec<_>) = kept.iter().partition(|invite| invite.expires <= now());
    if open.iter().filter(|invite| invite.used.is_none()).count() >= limits::INVITES {
        return Err(Error::denied(format!("{} invites are open already", limits::INVITES))
            .hint("use them, or wait until they expire"));
    }
    let ticket = app.team.decide(|ledger| {
        let (ticket, invite) = join::invite(ledger, &app.secret, request.role, addresses, expires, random)?;
        let forgotten = over.iter().map(|invite| forget_invite(invite));
        Ok(Change { value: ticket, links: vec![], writes: forgotten.chain([keep_invite(&invite)?]).collect() })
    })?;
    Ok(InviteOutcome {
        team: roster.name.clone(),
        ticket: ticket.to_text()?,
        role: request.role,
        expires: rfc3339(expires),
    })
}

/// Joins.
pub async fn join(app: &App, cx: &Context, request: TeamJoin, events: &Events) -> Result<TeamOutcome> {
    let ticket: Ticket = request.ticket.parse()?;
    if let Some(roster) = app.team.roster() {
        return Err(in_a_team(&roster));
    }
    let member = request.member.map_or_else(|| default_name(&cx.user), Ok)?;
    let question = codec::encode(&Request::Join(JoinRequest::new(&ticket, &member, &app.secret)?))?;
    events.message("asking the inviter").await;
    let answer = inviter::ask(app, &ticket, &question, request.timeout.unwrap_or(JOIN_TIME)).await?;
    let accept = match codec::decode(&answer)? {
        Response::Joined(accept) => accept,
        Response::Refused(why) => return Err(Error::denied(plain(&why))),
        _ => return Err(Error::failed("the inviter gave an answer to something else")),
    };
    let (ledger, _) = accept.open(&ticket, &app.secret.author())?;
    app.team.enter(ledger, vec![keep_peer(&ticket.inviter, &ticket.addresses)?])?;
    outcome(app)
}

/// Who is in the team.
pub async fn members(app: &App, _cx: &Context, _request: TeamMembers, events: &Events) -> Result<TeamOutcome> {
    if app.node.get().is_some_and(|node| node.net().is_refused()) {
        events.warn(reach::REFUSED).await;
    }
    outcome(app)
}

/// Changes a role.
pub async fn role(app: &App, _cx: &Context, request: TeamRole, _events: &Events) -> Result<TeamOutcome> {
    app.team.decide(|ledger| {
        let member = ledger.roster().find(&request.member)?;
        let entry = ledger.set_role(member, request.role, &app.secret, now())?;
        Ok(Change { value: (), links: entry.into_iter().map(Link::Entry).collect(), writes: vec![] })
    })?;
    outcome(app)
}

/// Removes a member.
pub async fn remove(app: &App, _cx: &Context, request: TeamRemove, _events: &Events) -> Result<TeamOutcome> {
    app.team.decide(|ledger| {
        let member = ledger.roster().find(&request.member)?;
        let entry = ledger.remove(member, &app.secret, now())?;
        Ok(Change { value: (), links: vec![Link::Entry(entry)], writes: vec![] })
    })?;
    outcome(app)
}

/// Changes what the team withholds, and says what that is.
pub async fn redact(app: &App, _cx: &Context, request: TeamRedact, _events: &Events) -> Result<TeamRedactOutcome> {
    if let Some(rule) = &request.rule {
        if !request.remove {
            rule.parse::<Rule>()?;
        }
        app.team.decide(|ledger| {
            if request.remove && !ledger.roster().withheld().any(|known| known == rule) {
                return Err(
                    Error::not_found(format!("the team has no rule {rule:?}")).hint("`peapod team redact` lists them")
                );
            }
            let entry = ledger.redact(rule, !request.remove, &app.secret, now())?;
            Ok(Change { value: (), links: entry.into_iter().map(Link::Entry).collect(), writes: vec![] })
        })?;
    }
    let roster = app.team.roster().ok_or_else(no_team)?;
    Ok(TeamRedactOutcome { team: roster.name.clone(), rules: roster.withheld().map(str::to_owned).collect() })
}

/// Names the branch that counts.
pub async fn settle(app: &App, _cx: &Context, request: TeamSettle, _events: &Events) -> Result<TeamOutcome> {
    let pod = request.head.pod();
    let digits = request.head.readings().into_iter().find_map(|reading| match reading {
        At::Hash(digits) => Some(digits),
        _ => None,
    });
    let digits = digits.ok_or_else(|| {
        Error::usage(format!("{} does not name a head by its version", request.head))
            .hint("`peapod team members` shows the two versions: say which as NAME@HASH")
    })?;
    app.team.decide(|ledger| {
        let member = ledger.roster().find(&request.member)?;
        let frozen = ledger.frozen().into_iter().find(|frozen| frozen.author == member && frozen.pod == pod);
        let proof = frozen.map(|frozen| frozen.proof).unwrap_or_default();
        let named: Vec<_> = proof.iter().filter(|head| head.version.to_string().starts_with(&digits)).collect();
        // Both may name one version: then either will do.
        let Some(head) = named.first().filter(|head| named.iter().all(|other| other.version == head.version)) else {
            return Err(Error::not_found(format!("{} has no such head of {pod} to choose from", request.member))
                .hint("`peapod team members` shows whose heads stand still, and at which versions"));
        };
        let entry = ledger.settle(member, pod, (head.seq, head.name()), &app.secret, now())?;
        Ok(Change { value: (), links: vec![Link::Entry(entry)], writes: vec![] })
    })?;
    outcome(app)
}

fn outcome(app: &App) -> Result<TeamOutcome> {
    let roster = app.team.roster().ok_or_else(no_team)?;
    let view = |(key, member): (&Author, &Member)| MemberView {
        member: member.name.clone(),
        key: key.to_string(),
        role: roster.role(key),
        removed_by: removed_by(app, key).filter(|_| member.removed),
        own: *key == app.secret.author(),
    };
    let mut members: Vec<MemberView> = roster.members.iter().map(view).collect();
    members.sort_by(|a, b| b.role.cmp(&a.role).then_with(|| a.member.cmp(&b.member)));
    let frozen = app.team.look(Ledger::frozen).unwrap_or_default();
    let frozen = frozen.into_iter().map(|frozen| FrozenView {
        member: roster.members.get(&frozen.author).map(|member| member.name.clone()).unwrap_or_default(),
        key: frozen.author.to_string(),
        pod: frozen.pod,
        versions: frozen.proof.iter().map(|head| head.version.to_string()).collect(),
    });
    Ok(TeamOutcome { team: roster.name.clone(), id: roster.id.to_string(), members, frozen: frozen.collect() })
}

/// A member's name made of a user name: what can't stand in one becomes a dash.
fn default_name(user: &str) -> Result<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = user.chars().map(|c| if legal(c) { c } else { '-' }).take(limits::NAME).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
    check_name("a member's name", &name).map(|()| name).map_err(|error| error.hint("say one with --as NAME"))
}

/// The addresses worth telling others: without the loopback ones, unless there are only those.
fn reachable(listening: Vec<String>) -> Vec<String> {
    let loopback = |address: &String| address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/");
    let (near, far): (Vec<_>, Vec<_>) = listening.into_iter().partition(loopback);
    let mut addresses = if far.is_empty() { near } else { far };
    addresses.truncate(limits::TICKET_ADDRESSES);
    addresses
}

/// A peer's words, made harmless for a terminal.
fn plain(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(limits::REFUSAL).collect()
}
