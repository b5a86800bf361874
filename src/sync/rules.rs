//! What a team withholds: who decides it, and that all agree whatever came first.

use crate::core::roster::{Act, Entry, Role, VerifiedEntry};
use crate::error::Kind;
use crate::sync::message::Announce;
use crate::sync::report::{Link, Verdict};
use crate::sync::sim::{Node, assert_all_agree, settle_down, team};

/// Decides about a rule; whether that was news.
fn redact(node: &mut Node, rule: &str, withhold: bool) -> bool {
    let entry = node.ledger.redact(rule, withhold, &node.secret, 0).unwrap();
    node.disk.extend(entry.clone().map(Link::Entry));
    entry.is_some()
}

fn rules(node: &Node) -> Vec<String> {
    node.ledger.roster().withheld().map(str::to_owned).collect()
}

#[test]
fn an_admins_rule_holds_for_all_until_an_admin_takes_it_away() {
    let mut nodes = team(3);
    assert!(redact(&mut nodes[0], "secrets", true) && redact(&mut nodes[0], "env:A", true));
    assert!(!redact(&mut nodes[0], "secrets", true));
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert_eq!(rules(&nodes[2]), ["env:A", "secrets"]);
    nodes[2].restart();
    assert_eq!(rules(&nodes[2]), ["env:A", "secrets"]);
    assert!(redact(&mut nodes[1], "env:A", false));
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert_eq!(rules(&nodes[2]), ["secrets"]);
}

#[test]
fn of_two_decisions_at_once_the_one_that_withholds_holds() {
    let mut nodes = team(3);
    redact(&mut nodes[0], "secrets", true);
    settle_down(&mut nodes);
    redact(&mut nodes[0], "secrets", false);
    redact(&mut nodes[1], "secrets", false);
    redact(&mut nodes[1], "secrets", true);
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert_eq!(rules(&nodes[0]), ["secrets"]);
    assert!(redact(&mut nodes[0], "secrets", false));
    settle_down(&mut nodes);
    assert!(nodes.iter().all(|node| rules(node).is_empty()));
}

#[test]
fn nobody_but_an_admin_changes_the_rules() {
    let mut nodes = team(3);
    redact(&mut nodes[0], "secrets", true);
    settle_down(&mut nodes);
    let Node { ledger, secret, .. } = &mut nodes[2];
    assert_eq!(ledger.redact("secrets", false, secret, 0).unwrap_err().kind(), Kind::Denied);
    // Nor by a chain of one's own.
    let act = Act::Redact { rule: "secrets".into(), withhold: false, turn: 2 };
    let team = Some(ledger.roster().id);
    let entry = Entry { team, admin: secret.author(), seq: 1, previous: None, act, created: 0 };
    let forged = VerifiedEntry::sign(entry, secret).unwrap();
    let heard = nodes[0].ledger.announced(Announce::Entry(forged.signed().clone()));
    assert_ne!(heard.verdict, Verdict::Accept);
    assert_eq!(rules(&nodes[0]), ["secrets"]);
}

#[test]
fn a_turn_that_skips_one_does_not_count_and_a_removed_admins_later_word_neither() {
    let mut nodes = team(3);
    redact(&mut nodes[0], "secrets", true);
    settle_down(&mut nodes);
    // An admin who wants to have the last word for ever.
    let last = nodes[1].ledger.roster().entries.contains_key(&nodes[1].secret.author());
    assert!(last);
    let act = Act::Redact { rule: "secrets".into(), withhold: false, turn: u32::MAX };
    let team = Some(nodes[1].ledger.roster().id);
    let entry = Entry { team, admin: nodes[1].secret.author(), seq: 1, previous: None, act, created: 0 };
    let jumped = VerifiedEntry::sign(entry, &nodes[1].secret).unwrap();
    let heard = nodes[0].ledger.announced(Announce::Entry(jumped.signed().clone()));
    nodes[0].keep(&heard);
    assert_eq!(rules(&nodes[0]), ["secrets"]);
    settle_down(&mut nodes);
    assert_eq!(rules(&nodes[2]), ["secrets"]);
    let second = nodes[1].secret.author();
    let Node { ledger, secret, .. } = &mut nodes[0];
    let removed = ledger.set_role(second, Role::Writer, secret, 0).unwrap().unwrap();
    nodes[0].disk.push(Link::Entry(removed));
    settle_down(&mut nodes);
    let Node { ledger, secret, .. } = &mut nodes[1];
    assert!(ledger.redact("secrets", false, secret, 0).is_err());
    assert_eq!(rules(&nodes[0]), ["secrets"]);
}
