//! Attacks on invites: each is tried and shown to fail.

use crate::core::codec;
use crate::core::identity::Secret;
use crate::core::name::Name;
use crate::core::roster::{Role, TeamId};
use crate::error::Kind;
use crate::sync::decide::found;
use crate::sync::heads::Ledger;
use crate::sync::join::{Invite, admit, invite};
use crate::sync::message::{JoinRequest, Response};
use crate::sync::sim::team;

fn inviting() -> (Ledger, Secret, Invite, String) {
    let alice = Secret::from_seed(&[1; 32]);
    let (ledger, _) = found("team", "alice", &alice, 0).unwrap();
    let (ticket, invite) = invite(&ledger, &alice, Role::Writer, vec![], 1_000, [7; 32]).unwrap();
    (ledger, alice, invite, ticket.to_text().unwrap())
}

fn knock(text: &str, name: &str, seed: u8) -> (Secret, JoinRequest) {
    let joiner = Secret::from_seed(&[seed; 32]);
    let request = JoinRequest::new(&text.parse().unwrap(), name, &joiner).unwrap();
    (joiner, request)
}

#[test]
fn an_invite_lets_one_in_and_everybody_can_tell() {
    let (mut ledger, alice, invite, text) = inviting();
    let (bob, request) = knock(&text, "bob", 2);
    let admitted = admit(&mut ledger, &[invite], &alice, &bob.author(), &request, 999).unwrap();
    let bytes = codec::encode(&Response::Joined(admitted.accept)).unwrap();
    let Response::Joined(accept) = codec::decode(&bytes).unwrap() else { panic!() };
    let (joined, store) = accept.open(&text.parse().unwrap(), &bob.author()).unwrap();
    assert_eq!(joined.roster(), ledger.roster());
    assert_eq!(store.len(), 2);
    assert_eq!(joined.roster().role(&bob.author()), Some(Role::Writer));
}

#[test]
fn an_invite_is_used_once_also_across_a_restart_of_the_inviter() {
    let (mut ledger, alice, invite, text) = inviting();
    let (bob, request) = knock(&text, "bob", 2);
    let admitted = admit(&mut ledger, &[invite], &alice, &bob.author(), &request, 1).unwrap();
    let kept: Invite = codec::decode(&codec::encode(&admitted.invite).unwrap()).unwrap();
    let (eve, stolen) = knock(&text, "eve", 3);
    let error = admit(&mut ledger, std::slice::from_ref(&kept), &alice, &eve.author(), &stolen, 1).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    // Whose answer was lost asks again, and is told the same, even late.
    let again = admit(&mut ledger, &[kept], &alice, &bob.author(), &request, 5_000).unwrap();
    assert!(again.store.is_empty());
    assert!(again.accept.open(&text.parse().unwrap(), &bob.author()).is_ok());
}

#[test]
fn an_expired_foreign_or_guessed_invite_lets_nobody_in() {
    let (mut ledger, alice, invite, text) = inviting();
    let (bob, request) = knock(&text, "bob", 2);
    let invites = [invite];
    let mut refused = |peer: &Secret, request: &JoinRequest, now| {
        admit(&mut ledger, &invites, &alice, &peer.author(), request, now).unwrap_err().kind() == Kind::Denied
    };
    assert!(refused(&bob, &request, 1_000), "expired");
    let eve = Secret::from_seed(&[3; 32]);
    assert!(refused(&eve, &request, 1), "overheard by another key");
    let renamed = JoinRequest { joiner: eve.author(), ..request.clone() };
    assert!(refused(&eve, &renamed, 1), "rewritten by another key");
    assert!(refused(&bob, &JoinRequest { name: "admin".into(), ..request.clone() }, 1), "another name");
    assert!(refused(&bob, &JoinRequest { proof: [0; 32], ..request.clone() }, 1), "guessed");
    let other = TeamId(Name([1; 32]));
    assert!(refused(&bob, &JoinRequest { team: other, ..request.clone() }, 1), "another team");
    // The same secret at another admin is unknown.
    assert!(admit(&mut ledger, &[], &alice, &bob.author(), &request, 1).is_err());
}

#[test]
fn a_removed_member_does_not_come_back_with_a_new_invite() {
    let (mut ledger, alice, first, text) = inviting();
    let (bob, request) = knock(&text, "bob", 2);
    admit(&mut ledger, &[first], &alice, &bob.author(), &request, 1).unwrap();
    ledger.remove(bob.author(), &alice, 1).unwrap();
    let (ticket, second) = invite(&ledger, &alice, Role::Writer, vec![], 1_000, [8; 32]).unwrap();
    let request = JoinRequest::new(&ticket, "bob", &bob).unwrap();
    let error = admit(&mut ledger, &[second], &alice, &bob.author(), &request, 1).unwrap_err();
    assert!(error.message().contains("removed"));
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_invite_stays_good() {
    let (mut ledger, alice, invite, text) = inviting();
    let (bob, request) = knock(&text, "alice", 2);
    let invites = [invite];
    assert!(admit(&mut ledger, &invites, &alice, &bob.author(), &request, 1).unwrap_err().message().contains("called"));
    let (bob, request) = knock(&text, "bob", 2);
    assert!(admit(&mut ledger, &invites, &alice, &bob.author(), &request, 1).is_ok());
}

#[test]
fn an_answer_that_is_not_the_tickets_team_is_not_believed() {
    let (_, _, _, text) = inviting();
    let (bob, _) = knock(&text, "bob", 2);
    let eve = Secret::from_seed(&[3; 32]);
    let (mut other, _) = found("team", "alice", &eve, 0).unwrap();
    let (ticket, invite) = invite(&other, &eve, Role::Writer, vec![], 1_000, [7; 32]).unwrap();
    let request = JoinRequest::new(&ticket, "bob", &bob).unwrap();
    let accept = admit(&mut other, &[invite], &eve, &bob.author(), &request, 1).unwrap().accept;
    assert!(accept.open(&text.parse().unwrap(), &bob.author()).is_err());
}

#[test]
fn only_an_admin_invites() {
    let nodes = team(3);
    assert!(invite(&nodes[2].ledger, &nodes[2].secret, Role::Reader, vec![], 1, [0; 32]).is_err());
    assert!(invite(&nodes[1].ledger, &nodes[1].secret, Role::Reader, vec![], 1, [0; 32]).is_ok());
}
