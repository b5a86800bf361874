//! A team simulated in memory: messages in any order, lost, repeated; nodes that restart. In the end all agree.

use proptest::prelude::*;

use crate::core::codec::{decode, encode};
use crate::core::identity::Secret;
use crate::core::name::Name;
use crate::core::roster::Role;
use crate::sync::decide::found;
use crate::sync::heads::Ledger;
use crate::sync::message::{Announce, Request, Sync};
use crate::sync::report::{Heard, Link, Verdict};

/// One node: its key, what it believes, and what it has stored.
pub(super) struct Node {
    pub(super) secret: Secret,
    pub(super) ledger: Ledger,
    pub(super) disk: Vec<Link>,
}

impl Node {
    /// Forgets everything but what was stored.
    pub(super) fn restart(&mut self) {
        let (mut entries, mut heads) = (vec![], vec![]);
        for link in self.disk.iter().rev() {
            match link.clone() {
                Link::Entry(entry) => entries.push(entry),
                Link::Head(head) => heads.push(head),
            }
        }
        self.ledger = Ledger::load(self.ledger.roster().id, entries, heads);
    }

    pub(super) fn keep(&mut self, heard: &Heard) {
        self.disk.extend(heard.store.iter().cloned());
    }
}

/// `count` nodes of one team: the first is the founder, the second an admin, the others writers.
pub(super) fn team(count: u8) -> Vec<Node> {
    let secrets: Vec<Secret> = (1..=count).map(|seed| Secret::from_seed(&[seed; 32])).collect();
    let (mut ledger, entry) = found("team", "n0", &secrets[0], 0).unwrap();
    let mut disk = vec![Link::Entry(entry)];
    for (at, secret) in secrets.iter().enumerate().skip(1) {
        let role = if at == 1 { Role::Admin } else { Role::Writer };
        disk.push(Link::Entry(ledger.add(secret.author(), role, &format!("n{at}"), &secrets[0], 0).unwrap()));
    }
    let node = |secret| {
        let mut node = Node { secret, ledger: Ledger::new(ledger.roster().id), disk: disk.clone() };
        node.restart();
        node
    };
    secrets.into_iter().map(node).collect()
}

/// Two nodes compare until neither has anything to say.
pub(super) fn compare(nodes: &mut [Node], a: usize, b: usize) {
    let mut wire = vec![(a, b, nodes[a].ledger.open())];
    let mut turns = 0;
    while let Some((from, to, turn)) = wire.pop() {
        turns += 1;
        assert!(turns < 10_000, "two nodes talk for ever: {turn:?}");
        let turn = match decode::<Request>(&encode(&Request::Sync(turn)).unwrap()).unwrap() {
            Request::Sync(turn) => turn,
            _ => unreachable!(),
        };
        let heard = nodes[to].ledger.compare(turn);
        nodes[to].keep(&heard);
        wire.extend(heard.reply.into_iter().rev().map(|turn| (to, from, turn)));
    }
}

/// Everybody compares with everybody until nothing moves.
pub(super) fn settle_down(nodes: &mut [Node]) {
    for _ in 0..3 {
        for a in 0..nodes.len() {
            for b in 0..nodes.len() {
                if a != b {
                    compare(nodes, a, b);
                }
            }
        }
    }
}

pub(super) fn assert_all_agree(nodes: &[Node]) {
    for node in &nodes[1..] {
        assert_eq!(node.ledger.roster(), nodes[0].ledger.roster());
        assert_eq!(node.ledger.open(), nodes[0].ledger.open());
    }
}

/// splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides.max(1) as u64) as usize
    }
}

#[derive(Clone)]
enum Packet {
    News(Box<Announce>),
    Turn(Sync),
}

struct Sim {
    nodes: Vec<Node>,
    wire: Vec<(usize, usize, Packet)>,
    dice: Dice,
    /// Whether somebody signs two heads with one number now and then.
    evil: bool,
}

impl Sim {
    fn gossip(&mut self, from: usize, news: &Announce) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.wire.push((from, to, Packet::News(Box::new(news.clone()))));
        }
    }

    fn deliver(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.dice.roll(self.wire.len());
        let (from, to, packet) = match self.dice.roll(4) {
            0 => self.wire[at].clone(),
            _ => self.wire.swap_remove(at),
        };
        if self.dice.roll(3) == 0 {
            return;
        }
        let heard = match packet.clone() {
            Packet::News(news) => self.nodes[to].ledger.announced(decode(&encode(&*news).unwrap()).unwrap()),
            Packet::Turn(turn) => self.nodes[to].ledger.compare(turn),
        };
        self.nodes[to].keep(&heard);
        if let (Packet::News(news), Verdict::Accept) = (&packet, heard.verdict) {
            self.gossip(to, news);
        }
        assert_ne!(heard.verdict, Verdict::Reject, "nothing here is forged");
        self.wire.extend(heard.reply.into_iter().map(|turn| (to, from, Packet::Turn(turn))));
    }

    fn act(&mut self) {
        let who = self.dice.roll(self.nodes.len());
        let pod = ["p", "q"][self.dice.roll(2)];
        let version = Name([self.dice.roll(200) as u8; 32]);
        let whom = self.nodes[self.dice.roll(self.nodes.len())].secret.author();
        let other = self.dice.roll(self.nodes.len());
        let Sim { nodes, dice, evil, .. } = self;
        let node = &mut nodes[who];
        let said = match dice.roll(40) {
            0 => node.ledger.remove(whom, &node.secret, 0).ok().map(Link::Entry),
            1 => {
                let role = [Role::Reader, Role::Writer, Role::Admin][dice.roll(3)];
                node.ledger.set_role(whom, role, &node.secret, 0).ok().flatten().map(Link::Entry)
            }
            2 => match node.ledger.frozen().first() {
                Some(frozen) => {
                    let branch = &frozen.proof[dice.roll(frozen.proof.len())];
                    let place = (branch.seq, branch.name());
                    node.ledger.settle(frozen.author, &frozen.pod, place, &node.secret, 0).ok().map(Link::Entry)
                }
                None => None,
            },
            3..8 => {
                node.restart();
                None
            }
            8..14 => {
                let turn = node.ledger.open();
                self.wire.push((who, other, Packet::Turn(turn)));
                return;
            }
            14 if *evil && who > 1 => {
                // A home restored from a backup that forgets to ask: says two things under one number.
                let forgotten = node
                    .disk
                    .iter()
                    .rposition(|link| matches!(link, Link::Head(head) if head.author == node.secret.author()));
                if let Some(at) = forgotten {
                    node.disk.remove(at);
                    node.restart();
                }
                None
            }
            _ => node.ledger.say_head(pod, version, &node.secret, 0).ok().flatten().map(Link::Head),
        };
        if let Some(link) = said {
            node.disk.push(link.clone());
            self.gossip(who, &link.announce());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn nodes_that_lose_reorder_and_repeat_messages_agree_in_the_end(seed in any::<u64>(), evil in any::<bool>()) {
        let mut sim = Sim { nodes: team(5), wire: vec![], dice: Dice(seed), evil };
        for _ in 0..300 {
            match sim.dice.roll(4) {
                0 => sim.act(),
                _ => sim.deliver(),
            }
        }
        settle_down(&mut sim.nodes);
        assert_all_agree(&sim.nodes);
        let before: Vec<_> = sim.nodes.iter().map(|node| node.ledger.summary()).collect();
        for node in &mut sim.nodes {
            node.restart();
        }
        let after: Vec<_> = sim.nodes.iter().map(|node| node.ledger.summary()).collect();
        prop_assert_eq!(before, after);
    }
}

#[test]
fn a_node_that_was_off_catches_up_on_a_long_history() {
    let mut nodes = team(3);
    for at in 0..1_100u32 {
        let mut version = [0; 32];
        version[..4].copy_from_slice(&at.to_le_bytes());
        let Node { secret, ledger, disk } = &mut nodes[2];
        disk.push(Link::Head(ledger.say_head("p", Name(version), secret, 0).unwrap().unwrap()));
    }
    compare(&mut nodes, 0, 2);
    let author = nodes[2].secret.author();
    assert_eq!(nodes[0].ledger.head("p", &author).unwrap().seq, 1_100);
    assert_eq!(nodes[0].ledger.open(), nodes[2].ledger.open());
}

#[test]
fn a_node_that_hears_only_the_newest_of_many_heads_asks_for_the_rest() {
    let mut nodes = team(3);
    let mut last = None;
    for at in 0..10 {
        let Node { secret, ledger, .. } = &mut nodes[2];
        last = ledger.say_head("p", Name([at; 32]), secret, 0).unwrap();
    }
    let news = Announce::Head(last.unwrap().signed().clone());
    let heard = nodes[0].ledger.announced(news);
    assert!(heard.store.is_empty() && heard.verdict == Verdict::Ignore);
    for turn in heard.reply {
        for answer in nodes[2].ledger.compare(turn).reply {
            nodes[0].ledger.compare(answer);
        }
    }
    let author = nodes[2].secret.author();
    assert_eq!(nodes[0].ledger.head("p", &author).unwrap().seq, 10);
}
