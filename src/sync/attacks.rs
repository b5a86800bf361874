//! Attacks on heads and rosters: each is tried and shown to fail.

use crate::core::codec;
use crate::core::head::{Head, SignedHead, VerifiedHead};
use crate::core::identity::Secret;
use crate::core::name::Name;
use crate::core::roster::{Act, Entry, Kept, Role, VerifiedEntry};
use crate::error::Kind;
use crate::sync::decide::found;
use crate::sync::message::{Announce, Range, Sync};
use crate::sync::report::{Link, Refusal, Report, Verdict};
use crate::sync::sim::{Node, assert_all_agree, compare, settle_down, team};

fn version(number: u8) -> Name {
    Name([number; 32])
}

fn push(node: &mut Node, number: u8) -> VerifiedHead {
    let head = node.ledger.say_head("p", version(number), &node.secret, 0).unwrap().unwrap();
    node.disk.push(Link::Head(head.clone()));
    head
}

fn hear(node: &mut Node, head: &VerifiedHead) -> (Verdict, Option<Refusal>) {
    hear_signed(node, head.signed().clone())
}

fn hear_signed(node: &mut Node, head: SignedHead) -> (Verdict, Option<Refusal>) {
    let heard = node.ledger.announced(Announce::Head(head));
    node.keep(&heard);
    let refusal = heard.reports.iter().find_map(|report| match report {
        Report::Refused { reason, .. } => Some(*reason),
        _ => None,
    });
    (heard.verdict, refusal)
}

fn seen(node: &Node, author: &Node) -> Option<(u64, Name)> {
    node.ledger.head("p", &author.secret.author()).map(|head| (head.seq, head.version))
}

#[test]
fn a_forged_head_is_refused() {
    let mut nodes = team(4);
    let head = push(&mut nodes[2], 1);
    let mut bytes = head.to_bytes().unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let forged: SignedHead = codec::decode(&bytes).unwrap();
    assert_eq!(hear_signed(&mut nodes[0], forged), (Verdict::Reject, Some(Refusal::Forged)));
    assert_eq!(hear(&mut nodes[0], &head), (Verdict::Accept, None));
}

#[test]
fn a_head_of_another_team_is_refused() {
    let mut nodes = team(3);
    let writer = Secret::from_seed(&[3; 32]);
    let (mut other, _) = found("other", "n2", &writer, 7).unwrap();
    let head = other.say_head("p", version(1), &writer, 0).unwrap().unwrap();
    assert_eq!(hear(&mut nodes[0], &head), (Verdict::Reject, Some(Refusal::OtherTeam)));
}

#[test]
fn an_older_head_never_comes_back_not_even_after_a_restart() {
    let mut nodes = team(3);
    let old = push(&mut nodes[2], 1);
    let new = push(&mut nodes[2], 2);
    hear(&mut nodes[0], &old);
    hear(&mut nodes[0], &new);
    for _ in 0..2 {
        assert_eq!(hear(&mut nodes[0], &old), (Verdict::Ignore, None));
        assert_eq!(seen(&nodes[0], &nodes[2]), Some((2, version(2))));
        nodes[0].restart();
    }
}

#[test]
fn a_jumped_number_does_not_count_and_blocks_nothing() {
    let mut nodes = team(3);
    let first = push(&mut nodes[2], 1);
    hear(&mut nodes[0], &first);
    for seq in [3, u64::MAX - 1] {
        let jumped = Head { seq, previous: Some(version(9)), version: version(8), ..(*first).clone() };
        let jumped = VerifiedHead::sign(jumped, &nodes[2].secret).unwrap();
        assert_eq!(hear(&mut nodes[0], &jumped), (Verdict::Ignore, None));
        assert_eq!(seen(&nodes[0], &nodes[2]), Some((1, version(1))));
    }
    let max = Head { seq: u64::MAX, previous: Some(version(9)), ..(*first).clone() };
    assert!(VerifiedHead::sign(max, &nodes[2].secret).is_err());
    let second = push(&mut nodes[2], 2);
    assert_eq!(hear(&mut nodes[0], &second), (Verdict::Accept, None));
}

#[test]
fn a_flood_of_jumped_heads_stays_bounded() {
    let mut nodes = team(3);
    let first = push(&mut nodes[2], 1);
    for seq in 10..2_000 {
        let loose = Head { seq, previous: Some(version(9)), ..(*first).clone() };
        let loose = VerifiedHead::sign(loose, &nodes[2].secret).unwrap();
        hear(&mut nodes[0], &loose);
    }
    assert!(nodes[0].disk.iter().all(|link| matches!(link, Link::Entry(_))));
    assert_eq!(hear(&mut nodes[0], &first), (Verdict::Accept, None));
}

#[test]
fn a_time_in_the_future_changes_nothing() {
    let mut nodes = team(3);
    let Node { ledger, secret, .. } = &mut nodes[2];
    let late = ledger.say_head("p", version(1), secret, u64::MAX).unwrap().unwrap();
    let early = ledger.say_head("p", version(2), secret, 0).unwrap().unwrap();
    hear(&mut nodes[0], &early);
    hear(&mut nodes[0], &late);
    assert_eq!(seen(&nodes[0], &nodes[2]), Some((2, version(2))));
}

#[test]
fn nobody_outside_the_team_and_no_reader_signs_heads() {
    let mut nodes = team(4);
    let eve = Secret::from_seed(&[99; 32]);
    let template = push(&mut nodes[2], 1);
    let stranger = Head { author: eve.author(), ..(*template).clone() };
    let stranger = VerifiedHead::sign(stranger, &eve).unwrap();
    assert_eq!(hear(&mut nodes[0], &stranger), (Verdict::Ignore, Some(Refusal::NotAMember)));

    let reader = nodes[3].secret.author();
    let Node { ledger, secret, .. } = &mut nodes[0];
    ledger.set_role(reader, Role::Reader, secret, 0).unwrap();
    let head = Head { author: reader, ..(*template).clone() };
    let head = VerifiedHead::sign(head, &nodes[3].secret).unwrap();
    assert_eq!(hear(&mut nodes[0], &head), (Verdict::Ignore, Some(Refusal::NotAWriter)));
}

#[test]
fn two_heads_with_one_number_freeze_their_author_until_an_admin_settles_it() {
    let mut nodes = team(5);
    push(&mut nodes[2], 1);
    settle_down(&mut nodes);
    // The author tells half the team one thing and half another, and goes on.
    let backup = nodes[2].disk.clone();
    let a2 = push(&mut nodes[2], 2);
    let a3 = push(&mut nodes[2], 3);
    for head in [&a2, &a3] {
        hear(&mut nodes[3], head);
    }
    nodes[2].disk = backup;
    nodes[2].restart();
    let b2 = push(&mut nodes[2], 22);
    hear(&mut nodes[4], &b2);
    assert_eq!(seen(&nodes[3], &nodes[2]), Some((3, version(3))));
    assert_eq!(seen(&nodes[4], &nodes[2]), Some((2, version(22))));

    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    for node in &nodes {
        assert_eq!(seen(node, &nodes[2]), Some((1, version(1))));
        assert_eq!(node.ledger.frozen()[0].proof.len(), 2);
    }
    let Node { ledger, secret, .. } = &mut nodes[2];
    assert!(ledger.say_head("p", version(5), secret, 0).is_err());
    nodes[0].restart();
    assert_eq!(nodes[0].ledger.frozen()[0].proof.len(), 2);

    // The admin names a branch by a head it holds; the rest of that branch comes by itself.
    let author = nodes[2].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[1];
    let entry = ledger.settle(author, "p", (a2.seq, a2.name()), secret, 0).unwrap();
    disk.push(Link::Entry(entry));
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert_eq!(seen(&nodes[0], &nodes[2]), Some((3, version(3))));
    let next = push(&mut nodes[2], 6);
    assert_eq!(next.seq, 4);
    assert_eq!(hear(&mut nodes[0], &next), (Verdict::Accept, None));
}

#[test]
fn a_restored_backup_takes_its_own_newer_heads_back_before_it_signs() {
    let mut nodes = team(3);
    push(&mut nodes[2], 1);
    let backup = nodes[2].disk.clone();
    push(&mut nodes[2], 2);
    compare(&mut nodes, 0, 2);
    nodes[2].disk = backup;
    nodes[2].restart();
    compare(&mut nodes, 2, 0);
    assert_eq!(push(&mut nodes[2], 3).seq, 3);
    compare(&mut nodes, 2, 0);
    assert_eq!(seen(&nodes[0], &nodes[2]), Some((3, version(3))));
    assert!(nodes[0].ledger.frozen().is_empty());
}

#[test]
fn what_a_removed_member_signs_afterwards_does_not_count_and_what_came_before_does() {
    let mut nodes = team(4);
    let early = push(&mut nodes[3], 1);
    hear(&mut nodes[0], &early);
    let gone = nodes[3].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[0];
    disk.push(Link::Entry(ledger.remove(gone, secret, 0).unwrap()));
    // It does not hear of it, signs on, and even signs its last head anew.
    let late = push(&mut nodes[3], 2);
    let anew = VerifiedHead::sign(Head { version: version(9), ..(*early).clone() }, &nodes[3].secret).unwrap();
    assert_eq!(hear(&mut nodes[0], &late), (Verdict::Ignore, Some(Refusal::Removed)));
    hear(&mut nodes[0], &anew);
    assert_eq!(seen(&nodes[0], &nodes[3]), Some((1, version(1))));
    // One whose roster is stale takes it in, and drops it when it learns better.
    hear(&mut nodes[2], &early);
    hear(&mut nodes[2], &late);
    assert_eq!(seen(&nodes[2], &nodes[3]), Some((2, version(2))));
    compare(&mut nodes, 2, 0);
    assert_eq!(seen(&nodes[2], &nodes[3]), Some((1, version(1))));
    assert!(nodes[2].ledger.roster().removed(&gone));
}

#[test]
fn a_stale_roster_is_brought_up_to_date_by_a_newer_members_head() {
    let mut nodes = team(3);
    let newcomer = Secret::from_seed(&[50; 32]);
    let Node { ledger, secret, .. } = &mut nodes[0];
    ledger.add(newcomer.author(), Role::Writer, "new", secret, 0).unwrap();
    let head = ledger.say_head("p", version(1), &newcomer, 0).unwrap().unwrap();
    let heard = nodes[2].ledger.announced(Announce::Head(head.signed().clone()));
    assert_eq!(heard.verdict, Verdict::Ignore);
    let mut wire: Vec<(bool, Sync)> = heard.reply.into_iter().map(|turn| (true, turn)).collect();
    assert!(!wire.is_empty());
    while let Some((to_admin, turn)) = wire.pop() {
        let node = &mut nodes[if to_admin { 0 } else { 2 }];
        wire.extend(node.ledger.compare(turn).reply.into_iter().map(|turn| (!to_admin, turn)));
    }
    assert_eq!(nodes[2].ledger.head("p", &newcomer.author()).unwrap().version, version(1));
}

fn entry_of(node: &Node, seq: u64, previous: Option<Name>, act: Act) -> VerifiedEntry {
    let team = Some(node.ledger.roster().id);
    let entry = Entry { team, admin: node.secret.author(), seq, previous, act, created: 0 };
    VerifiedEntry::sign(entry, &node.secret).unwrap()
}

#[test]
fn a_writer_decides_nothing() {
    let mut nodes = team(4);
    let victim = nodes[3].secret.author();
    let Node { ledger, secret, .. } = &mut nodes[2];
    assert_eq!(ledger.remove(victim, secret, 0).unwrap_err().kind(), Kind::Denied);
    assert_eq!(ledger.add(victim, Role::Admin, "x", secret, 0).unwrap_err().kind(), Kind::Denied);
    let entry = entry_of(&nodes[2], 1, None, Act::Remove { member: victim, kept: Kept::default() });
    let heard = nodes[0].ledger.announced(Announce::Entry(entry.signed().clone()));
    assert!(heard.store.is_empty());
    assert!(matches!(heard.reports[..], [Report::Refused { reason: Refusal::NotAnAdmin, .. }]));
}

#[test]
fn a_roster_entry_of_another_team_is_refused() {
    let mut nodes = team(2);
    let founder = Secret::from_seed(&[1; 32]);
    let (mut other, founding) = found("other", "n0", &founder, 7).unwrap();
    let entry = other.add(Secret::from_seed(&[70; 32]).author(), Role::Admin, "eve", &founder, 0).unwrap();
    for entry in [founding, entry] {
        let heard = nodes[1].ledger.announced(Announce::Entry(entry.signed().clone()));
        assert_eq!(heard.verdict, Verdict::Reject);
        assert!(heard.store.is_empty());
    }
}

#[test]
fn a_removed_admin_decides_nothing_any_more_but_what_they_had_decided_holds() {
    let mut nodes = team(3);
    let (earlier, later) = (Secret::from_seed(&[60; 32]).author(), Secret::from_seed(&[61; 32]).author());
    let admin = nodes[1].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[1];
    disk.push(Link::Entry(ledger.add(earlier, Role::Writer, "earlier", secret, 0).unwrap()));
    compare(&mut nodes, 0, 1);
    let Node { ledger, secret, disk } = &mut nodes[0];
    disk.push(Link::Entry(ledger.remove(admin, secret, 0).unwrap()));
    let Node { ledger, secret, disk } = &mut nodes[1];
    disk.push(Link::Entry(ledger.add(later, Role::Writer, "later", secret, 0).unwrap()));
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    let roster = nodes[2].ledger.roster();
    assert_eq!(roster.role(&earlier), Some(Role::Writer));
    assert_eq!(roster.role(&later), None);
    assert!(roster.removed(&admin));
}

#[test]
fn of_two_admins_who_remove_each_other_the_senior_stays() {
    let mut nodes = team(4);
    let third = nodes[2].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[0];
    disk.push(Link::Entry(ledger.set_role(third, Role::Admin, secret, 0).unwrap().unwrap()));
    settle_down(&mut nodes);
    let second = nodes[1].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[1];
    disk.push(Link::Entry(ledger.remove(third, secret, 0).unwrap()));
    assert!(nodes[2].ledger.remove(second, &Secret::from_seed(&[3; 32]), 0).is_err());
    let forced = entry_of(&nodes[2], 1, None, Act::Remove { member: second, kept: Kept::default() });
    let heard = nodes[2].ledger.announced(Announce::Entry(forced.signed().clone()));
    nodes[2].keep(&heard);
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert_eq!(nodes[3].ledger.roster().role(&second), Some(Role::Admin));
    assert!(nodes[3].ledger.roster().removed(&third));
}

#[test]
fn a_removal_wins_over_an_addition_wherever_it_comes_from() {
    let mut nodes = team(4);
    let gone = nodes[3].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[0];
    disk.push(Link::Entry(ledger.remove(gone, secret, 0).unwrap()));
    assert!(nodes[0].ledger.add(gone, Role::Writer, "again", &Secret::from_seed(&[1; 32]), 0).is_err());
    let again = entry_of(&nodes[1], 1, None, Act::Add { member: gone, role: Role::Writer, name: "again".into() });
    let heard = nodes[1].ledger.announced(Announce::Entry(again.signed().clone()));
    nodes[1].keep(&heard);
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert!(nodes[1].ledger.roster().removed(&gone));
}

#[test]
fn an_admin_who_says_two_things_under_one_number_is_stopped_there() {
    let mut nodes = team(4);
    let [x, y] = [80, 81].map(|seed| Secret::from_seed(&[seed; 32]).author());
    for (at, member) in [(2, x), (3, y)] {
        let act = Act::Add { member, role: Role::Writer, name: "someone".into() };
        let entry = entry_of(&nodes[1], 1, None, act);
        let heard = nodes[at].ledger.announced(Announce::Entry(entry.signed().clone()));
        assert_eq!(heard.verdict, Verdict::Accept);
        nodes[at].keep(&heard);
    }
    settle_down(&mut nodes);
    assert_all_agree(&nodes);
    assert_eq!(nodes[0].ledger.roster().role(&x), None);
    assert_eq!(nodes[0].ledger.roster().role(&y), None);
    let Node { ledger, secret, .. } = &mut nodes[1];
    assert!(ledger.add(x, Role::Writer, "someone", secret, 0).is_err());
}

#[test]
fn a_demoted_writers_earlier_heads_count_and_later_ones_do_not() {
    let mut nodes = team(3);
    let before = push(&mut nodes[2], 1);
    hear(&mut nodes[0], &before);
    let writer = nodes[2].secret.author();
    let Node { ledger, secret, disk } = &mut nodes[0];
    disk.push(Link::Entry(ledger.set_role(writer, Role::Reader, secret, 0).unwrap().unwrap()));
    let after = push(&mut nodes[2], 2);
    assert_eq!(hear(&mut nodes[0], &after).0, Verdict::Ignore);
    assert_eq!(seen(&nodes[0], &nodes[2]), Some((1, version(1))));
    // Trusted again, the whole chain counts.
    let Node { ledger, secret, disk } = &mut nodes[0];
    disk.push(Link::Entry(ledger.set_role(writer, Role::Writer, secret, 0).unwrap().unwrap()));
    assert_eq!(hear(&mut nodes[0], &after), (Verdict::Accept, None));
}

/// The founder's node with an invite, and its text.
#[test]
fn no_question_makes_a_node_say_more_than_fits_or_panic() {
    let mut nodes = team(3);
    push(&mut nodes[2], 1);
    let author = nodes[2].secret.author();
    for (from, to) in [(0, 0), (5, 1), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        for pod in [None, Some("p".to_owned()), Some("../x".to_owned())] {
            nodes[2].ledger.compare(Sync::Want(vec![Range { pod, author, from, to }]));
        }
    }
}
