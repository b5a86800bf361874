//! From what admins signed to who is in the team: a function of the entries held, not of the order they came in.
//!
//! Admins are taken by seniority: the founder first, then whom the founder made an admin, in the order of those
//! entries, then whom those made one. Who is senior decides about who is not, so that two admins who remove each other
//! have one outcome everywhere. Among the entries that count, a removal wins over everything else about that member,
//! whichever came first.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::chain::{Chain, Place, Ruling};
use crate::core::identity::Author;
use crate::core::roster::{Act, Entry, Kept, LastHead, Member, Role, Roster, TeamId};

/// The roster that these chains of entries make.
pub fn fold(team: TeamId, chains: &BTreeMap<Author, Chain<Entry>>) -> Roster {
    let authority = Authority::of(team, chains);
    let mut roster = Roster {
        id: team,
        name: String::new(),
        epoch: authority.acts.len() as u64,
        members: BTreeMap::new(),
        admins: authority.order,
        entries: authority.entries,
        redact: BTreeMap::new(),
        branches: BTreeMap::new(),
    };
    let mut rules: BTreeMap<&str, Vec<(u32, bool)>> = BTreeMap::new();
    let mut statements: BTreeMap<Author, Statements<'_>> = BTreeMap::new();
    for (admin, act) in &authority.acts {
        match act {
            Act::Found { team, name } => {
                roster.name.clone_from(team);
                statements.entry(*admin).or_default().adds.push((Role::Admin, name));
            }
            Act::Add { member, role, name } => statements.entry(*member).or_default().adds.push((*role, name)),
            Act::SetRole { member, to, turn, kept, .. } => {
                statements.entry(*member).or_default().changes.push((*turn, *to, kept));
            }
            Act::Remove { member, kept } => statements.entry(*member).or_default().removals.push(kept),
            Act::Redact { rule, withhold, turn } => rules.entry(rule).or_default().push((*turn, *withhold)),
            Act::Settle { member, branch } => settle(&mut roster, *member, branch, admin, &authority.acts),
        }
    }
    for (rule, changes) in rules {
        roster.redact.insert(rule.to_owned(), withheld(&changes));
    }
    for (key, statements) in statements {
        let role = roster.entries.get(&key).map(|ruling| *ruling == Ruling::Open);
        if let Some(member) = statements.member(role) {
            roster.members.insert(key, member);
        }
    }
    roster
}

/// Whether a rule holds after these changes, and how many of them in a row there are. Of two with one turn the one that
/// withholds holds: what was once let out can't be taken back.
fn withheld(changes: &[(u32, bool)]) -> (bool, u32) {
    let (mut holds, mut turn) = (false, 0);
    while changes.iter().any(|(of, _)| *of == turn + 1) {
        turn += 1;
        holds = changes.contains(&(turn, true));
    }
    (holds, turn)
}

/// The senior's word holds; of one admin's words the last.
fn settle(roster: &mut Roster, member: Author, branch: &LastHead, admin: &Author, acts: &[(Author, &Act)]) {
    let about = |act: &Act| matches!(act, Act::Settle { member: m, branch: b } if *m == member && b.pod == branch.pod);
    if acts.iter().find(|(_, act)| about(act)).is_some_and(|(first, _)| first == admin) {
        roster.branches.insert((member, branch.pod.clone()), branch.head);
    }
}

/// What the counted entries say about one member.
#[derive(Default)]
struct Statements<'a> {
    adds: Vec<(Role, &'a String)>,
    changes: Vec<(u32, Role, &'a Kept)>,
    removals: Vec<&'a Kept>,
}

impl Statements<'_> {
    /// `admin`: whether it may sign entries now; none if it never might.
    fn member(&self, admin: Option<bool>) -> Option<Member> {
        let (_, name) = self.adds.first()?;
        let mut role = self.adds.iter().map(|(role, _)| *role).min()?;
        let mut kept: Vec<&Kept> = Vec::new();
        let mut turn = 0;
        loop {
            let next = self.changes.iter().filter(|(of, ..)| *of == turn + 1);
            let Some(lowest) = next.clone().map(|(_, to, _)| *to).min() else { break };
            role = lowest;
            kept = next.filter(|(_, to, _)| *to == lowest).map(|(.., kept)| *kept).collect();
            turn += 1;
        }
        if role != Role::Reader {
            kept.clear();
        }
        role = match admin {
            Some(true) => Role::Admin,
            _ => role.min(Role::Writer),
        };
        let limited = role == Role::Reader && turn > 0;
        let heads = match (self.removals.is_empty(), limited) {
            (false, _) => Some(last_heads(&self.removals)),
            (true, true) => Some(last_heads(&kept)),
            (true, false) => None,
        };
        let removed = !self.removals.is_empty();
        Some(Member { name: (*name).clone(), role, removed, turn, kept: heads })
    }
}

/// Where several admins name last heads, the latest counts; of two with one number the senior admin's.
fn last_heads(kept: &[&Kept]) -> BTreeMap<String, Place> {
    let mut heads: BTreeMap<String, Place> = BTreeMap::new();
    for LastHead { pod, head } in kept.iter().flat_map(|kept| &kept.heads) {
        match heads.get(pod) {
            Some((seq, _)) if *seq >= head.0 => {}
            _ => {
                heads.insert(pod.clone(), *head);
            }
        }
    }
    heads
}

/// Who may decide, and what was decided by those who might.
struct Authority<'a> {
    order: Vec<Author>,
    entries: BTreeMap<Author, Ruling>,
    acts: Vec<(Author, &'a Act)>,
}

/// How someone came to be an admin: the numbers of the entries that lead from the founder to them. The shortest is the
/// most senior; of one length, the earliest.
type Rank = (usize, Vec<u64>);

impl<'a> Authority<'a> {
    fn of(team: TeamId, chains: &'a BTreeMap<Author, Chain<Entry>>) -> Authority<'a> {
        let mut authority = Authority { order: Vec::new(), entries: BTreeMap::new(), acts: Vec::new() };
        let founder = chains.iter().find(|(_, chain)| chain.holds(1, &team.0)).map(|(founder, _)| *founder);
        let mut queue: BTreeSet<(Rank, Author)> = founder.map(|founder| ((0, vec![]), founder)).into_iter().collect();
        let mut ended: BTreeMap<Author, Option<Place>> = BTreeMap::new();
        while let Some(((steps, path), admin)) = queue.pop_first() {
            if authority.order.contains(&admin) {
                continue;
            }
            authority.order.push(admin);
            let mut ruling = match ended.get(&admin) {
                None => Ruling::Open,
                Some(None) => Ruling::Nothing,
                Some(Some(place)) => Ruling::Until(*place),
            };
            for entry in chains.get(&admin).into_iter().flat_map(|chain| chain.counting(ruling)) {
                let (about, grants, ends) = match &entry.act {
                    Act::Found { .. } | Act::Settle { .. } | Act::Redact { .. } => (None, false, None),
                    Act::Add { member, role, .. } => (Some(*member), *role == Role::Admin, None),
                    Act::SetRole { member, from, to, kept, .. } => {
                        let ends = *from == Role::Admin && *to != Role::Admin;
                        (Some(*member), *to == Role::Admin, ends.then_some(kept.entry))
                    }
                    Act::Remove { member, kept } => (Some(*member), false, Some(kept.entry)),
                };
                let senior = about.is_some_and(|member| member != admin && authority.order.contains(&member));
                if senior && !matches!(entry.act, Act::Add { .. }) {
                    continue;
                }
                authority.acts.push((admin, &entry.act));
                let Some(member) = about else { continue };
                if member == admin && ends.is_some() {
                    ruling = Ruling::Until((entry.seq, entry.name()));
                    break;
                }
                if grants && !senior {
                    let path: Vec<u64> = path.iter().copied().chain([entry.seq]).collect();
                    queue.insert(((steps + 1, path), member));
                }
                if let Some(last) = ends {
                    let lowest = ended.entry(member).or_insert(last);
                    if last.map_or(0, |(seq, _)| seq) < lowest.map_or(0, |(seq, _)| seq) {
                        *lowest = last;
                    }
                }
            }
            authority.entries.insert(admin, ruling);
        }
        authority
    }
}
