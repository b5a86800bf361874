//! Ids that an instance generates (`vpc-0a1b..`, a REST API's `a1b2c3d4e5`), and what stands for them in a record.
//!
//! An instance chooses such an id anew whenever the resource is made, so a record that held it would point into the
//! void after an inject. In a record the *address* of the resource stands in its place, in braces:
//! `{self/us-east-1/ec2/vpc/main}`. The address ends in a name that people chose (a `Name` tag, an API's name), so two
//! instances in the same state have the same records, whatever their ids.
//!
//! A service tells its ids by [`super::Service::ids`]; every text of configuration that is made portable then has them
//! replaced, wherever they stand between two characters that no id holds. Where an ARN or a path says that a word is an
//! API's id, it is replaced whatever it looks like: one in thirty of such ids has no digit.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::core::address::{Address, SELF_ACCOUNT};
use crate::core::value::Value;

/// A shorter word, or one without a digit, may be a person's own (LocalStack lets one choose an API's id).
const SHORTEST: usize = 8;

/// The ids of one instance.
#[derive(Debug, Default)]
pub struct Ids(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    /// What stands for an id: more than one where regions have the same (ministack numbers its default VPCs).
    references: HashMap<String, Vec<String>>,
    ids: HashMap<String, String>,
    /// Looked for in vain since anything was last learnt.
    missing: HashSet<String>,
}

impl Table {
    fn learn(&mut self, address: &Address, id: &str) {
        let reference = reference(address);
        if self.ids.get(&reference).is_some_and(|known| known == id) {
            return;
        }
        self.missing.clear();
        if let Some(old) = self.ids.insert(reference.clone(), id.to_owned())
            && let Some(references) = self.references.get_mut(&old)
        {
            references.retain(|other| *other != reference);
        }
        self.references.entry(id.to_owned()).or_default().push(reference);
    }

    /// What stands for an id in a text of this account and region: of several, the one there, else the last one told.
    fn reference(&self, id: &str, (label, region): (&str, &str)) -> Option<&str> {
        let references = self.references.get(id)?;
        let here = format!("{{{label}/{region}/");
        let there = references.iter().rev().find(|reference| reference.starts_with(&here));
        there.or(references.last()).map(String::as_str)
    }
}

impl Ids {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was known and takes these for all there is.
    pub fn renew(&self, found: Vec<(Address, String)>) {
        let mut table = self.write();
        *table = Table::default();
        found.iter().for_each(|(address, id)| table.learn(address, id));
    }

    /// Notes that the resource at this address has this id here. The last one told counts.
    pub fn learn(&self, address: &Address, id: &str) {
        self.write().learn(address, id);
    }

    /// The id of the resource at this address, if it is known.
    pub fn of(&self, address: &Address) -> Option<String> {
        self.read().ids.get(&reference(address)).cloned()
    }

    /// What stands for an id that is known, whatever it looks like.
    pub fn known_as(&self, id: &str) -> Option<String> {
        self.read().references.get(id).and_then(|references| references.last()).cloned()
    }

    /// A text of this account and region with ids replaced by what stands for them.
    pub fn portable<'t>(&self, text: &'t str, place: (&str, &str)) -> Cow<'t, str> {
        let table = self.read();
        if table.references.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::new();
        let mut done = 0;
        for (start, word) in words(text) {
            let replaced = is_generated(word) || text.get(..start).is_some_and(leads_to_api);
            if let Some(reference) = table.reference(word, place).filter(|_| replaced) {
                out.push_str(text.get(done..start).unwrap_or_default());
                out.push_str(reference);
                done = start + word.len();
            }
        }
        finish(text, out, done)
    }

    /// The text that [`Ids::portable`] made, for this instance. What is not there stays as it is.
    pub fn local<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let table = self.read();
        let mut out = String::new();
        let mut done = 0;
        for (start, reference) in references(text) {
            if let Some(id) = table.ids.get(reference) {
                out.push_str(text.get(done..start).unwrap_or_default());
                out.push_str(id);
                done = start + reference.len();
            }
        }
        finish(text, out, done)
    }

    /// The addresses that a record's attributes refer to and whose ids are not known here.
    pub fn unknown(&self, attributes: &BTreeMap<String, Value>) -> BTreeSet<Address> {
        let mut unknown = BTreeSet::new();
        let table = self.read();
        for value in attributes.values() {
            each_text(value, &mut |text| {
                let strange = references(text).filter(|(_, reference)| !table.ids.contains_key(*reference));
                unknown.extend(strange.filter_map(|(_, reference)| Some(address(reference)?.0)));
            });
        }
        unknown
    }

    /// Whether it makes sense to ask the instance for this id: it was not asked in vain since the last one was learnt.
    pub fn worth_asking(&self, address: &Address) -> bool {
        !self.read().missing.contains(&reference(address))
    }

    /// Notes that the instance was asked for this id in vain.
    pub fn in_vain(&self, address: &Address) {
        self.write().missing.insert(reference(address));
    }
}

/// Gives each of some things a name of its own: the one people gave it, with `#2`, `#3` and so on among equals, in the
/// order of the second text (which must tell nothing that differs between two instances in the same state).
pub fn named<T>(mut found: Vec<(String, String, T)>) -> Vec<(String, T)> {
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    let mut used: HashSet<String> = found.iter().map(|(name, ..)| name.clone()).collect();
    let mut last: Option<String> = None;
    let mut names = Vec::with_capacity(found.len());
    for (name, _, thing) in found {
        if last.as_ref() != Some(&name) {
            last = Some(name.clone());
            names.push((name, thing));
            continue;
        }
        let mut count = 2;
        while !used.insert(format!("{name}#{count}")) {
            count += 1;
        }
        names.push((format!("{name}#{count}"), thing));
    }
    names
}

fn is_generated(id: &str) -> bool {
    id.len() >= SHORTEST && id.bytes().any(|byte| byte.is_ascii_digit()) && id.bytes().all(is_of_id)
}

fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The longest runs of characters that ids are made of, and where they begin.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let parts = text.split(|c: char| !c.is_ascii() || !is_of_id(c as u8));
    parts.filter(|word| !word.is_empty()).map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Whether a text ends where the id of an API follows: `arn:aws:execute-api:REGION:ACCOUNT:`, `/restapis/`, `/apis/`.
fn leads_to_api(text: &str) -> bool {
    text.ends_with("/restapis/")
        || text.ends_with("/apis/")
        || (text.ends_with(':') && text.rsplit(':').nth(3) == Some("execute-api"))
}

/// What stands for the id of the resource at this address.
pub(super) fn reference(address: &Address) -> String {
    format!("{{{}}}", address.to_string().replace('{', "%7B").replace('}', "%7D"))
}

/// The address in the reference that a text begins with, and the reference's length.
fn address(text: &str) -> Option<(Address, usize)> {
    let inner = text.strip_prefix('{')?;
    let (inner, _) = inner.split_once('}')?;
    Some((Address::parse(inner).ok()?, inner.len() + 2))
}

/// All references in a text, and where they begin.
fn references(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('{').filter_map(|(start, _)| {
        let rest = text.get(start..)?;
        let (account, _) = rest.get(1..)?.split_once('/')?;
        if account != SELF_ACCOUNT && !(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())) {
            return None;
        }
        let (_, length) = address(rest)?;
        Some((start, rest.get(..length)?))
    })
}

fn finish<'t>(text: &'t str, mut out: String, done: usize) -> Cow<'t, str> {
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

fn each_text(value: &Value, work: &mut dyn FnMut(&str)) {
    match value {
        Value::Text(text) => work(text),
        Value::List(items) => items.iter().for_each(|item| each_text(item, work)),
        Value::Set(items) => items.iter().for_each(|item| each_text(item, work)),
        Value::Map(fields) => fields.values().for_each(|field| each_text(field, work)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vpc(name: &str) -> Address {
        Address::resource(SELF_ACCOUNT, "us-east-1", "ec2", "vpc", name)
    }

    fn instance(ids: &[(&str, &str)]) -> Ids {
        let instance = Ids::default();
        for (name, id) in ids {
            instance.learn(&vpc(name), id);
        }
        instance
    }

    #[test]
    fn an_id_is_replaced_where_it_stands_alone_and_nowhere_else() {
        let here = instance(&[("main", "vpc-0a1b2c3d"), ("odd {n}/%", "vpc-11111111"), ("chosen", "my-api")]);
        let there = instance(&[("main", "vpc-99999999"), ("odd {n}/%", "vpc-22222222")]);
        for (text, portable, in_there) in [
            ("vpc-0a1b2c3d", "{self/us-east-1/ec2/vpc/main}", "vpc-99999999"),
            (
                "arn:aws:ec2:us-east-1:self:vpc/vpc-0a1b2c3d/*",
                "arn:aws:ec2:us-east-1:self:vpc/{self/us-east-1/ec2/vpc/main}/*",
                "arn:aws:ec2:us-east-1:self:vpc/vpc-99999999/*",
            ),
            ("é.vpc-11111111.é", "é.{self/us-east-1/ec2/vpc/odd %7Bn%7D%2F%25}.é", "é.vpc-22222222.é"),
            ("vpc-0a1b2c3d0 xvpc-0a1b2c3d", "vpc-0a1b2c3d0 xvpc-0a1b2c3d", "vpc-0a1b2c3d0 xvpc-0a1b2c3d"),
            ("my-api {self/x} {self/a/b/c/d", "my-api {self/x} {self/a/b/c/d", "my-api {self/x} {self/a/b/c/d"),
        ] {
            assert_eq!(here.portable(text, (SELF_ACCOUNT, "us-east-1")), portable);
            assert_eq!(here.local(portable), text);
            assert_eq!(there.local(portable), in_there);
            assert_eq!(there.portable(in_there, (SELF_ACCOUNT, "us-east-1")), portable);
        }
    }

    #[test]
    fn an_apis_id_is_replaced_where_it_must_be_one() {
        let here = instance(&[("main", "abcdefghij")]);
        for (text, portable) in [
            ("abcdefghij", "abcdefghij"),
            ("arn:aws:execute-api:r:self:abcdefghij/*", "arn:aws:execute-api:r:self:{self/us-east-1/ec2/vpc/main}/*"),
            (
                "arn:aws:apigateway:r::/restapis/abcdefghij",
                "arn:aws:apigateway:r::/restapis/{self/us-east-1/ec2/vpc/main}",
            ),
            ("execute-api:r:self:abcdefghijk/*", "execute-api:r:self:abcdefghijk/*"),
        ] {
            assert_eq!(here.portable(text, (SELF_ACCOUNT, "us-east-1")), portable);
            assert_eq!(here.local(portable), text);
        }
        assert_eq!(here.known_as("abcdefghij").as_deref(), Some("{self/us-east-1/ec2/vpc/main}"));
    }

    #[test]
    fn what_is_not_there_is_told_and_left_as_it_is() {
        let here = instance(&[("main", "vpc-0a1b2c3d")]);
        let text = "{self/us-east-1/ec2/vpc/main} {self/us-east-1/ec2/vpc/other}";
        assert_eq!(here.local(text), "vpc-0a1b2c3d {self/us-east-1/ec2/vpc/other}");
        let attributes = BTreeMap::from([("A".to_owned(), Value::List(vec![Value::text(text)]))]);
        assert_eq!(here.unknown(&attributes), BTreeSet::from([vpc("other")]));
        assert!(here.worth_asking(&vpc("other")));
        here.in_vain(&vpc("other"));
        assert!(!here.worth_asking(&vpc("other")));
        here.learn(&vpc("third"), "vpc-33333333");
        assert!(here.worth_asking(&vpc("other")));
    }

    #[test]
    fn a_resource_made_anew_has_its_new_id() {
        let here = instance(&[("main", "vpc-0a1b2c3d"), ("main", "vpc-44444444")]);
        assert_eq!(here.of(&vpc("main")).as_deref(), Some("vpc-44444444"));
        assert_eq!(
            here.portable("vpc-0a1b2c3d vpc-44444444", (SELF_ACCOUNT, "us-east-1")),
            "vpc-0a1b2c3d {self/us-east-1/ec2/vpc/main}"
        );
    }

    #[test]
    fn an_id_that_regions_share_stands_for_what_is_in_the_region() {
        let here = instance(&[("main", "vpc-0a1b2c3d")]);
        here.learn(&Address::resource(SELF_ACCOUNT, "eu-west-1", "ec2", "vpc", "default"), "vpc-0a1b2c3d");
        assert_eq!(here.portable("vpc-0a1b2c3d", (SELF_ACCOUNT, "us-east-1")), "{self/us-east-1/ec2/vpc/main}");
        assert_eq!(here.portable("vpc-0a1b2c3d", (SELF_ACCOUNT, "eu-west-1")), "{self/eu-west-1/ec2/vpc/default}");
    }

    #[test]
    fn equals_are_numbered_and_every_name_is_its_own() {
        let found = |names: &[(&str, &str)]| {
            let found = names.iter().enumerate().map(|(id, (name, rank))| ((*name).to_owned(), (*rank).to_owned(), id));
            named(found.collect())
        };
        let name = |name: &str, id| (name.to_owned(), id);
        assert_eq!(
            found(&[("a", "2"), ("b", ""), ("a", "1"), ("a#2", ""), ("a", "3")]),
            [name("a", 2), name("a#3", 0), name("a#4", 4), name("a#2", 3), name("b", 1)]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_made_portable_and_back(pieces in proptest::collection::vec(
            prop_oneof![Just("vpc-0a1b2c3d".to_owned()), Just("vpc-11111111".to_owned()), "[{}/a-c %é\\-0-9]{0,6}"], 0..8)
        ) {
            let here = instance(&[("main", "vpc-0a1b2c3d"), ("odd {n}/%", "vpc-11111111")]);
            let text = pieces.concat();
            let portable = here.portable(&text, (SELF_ACCOUNT, "us-east-1")).into_owned();
            prop_assert_eq!(here.local(&portable).into_owned(), text);
        }

        #[test]
        fn any_text_is_read_without_harm(text in "(\\{self/|\\}|[a-z/%]|\\PC){0,40}") {
            let here = instance(&[("main", "vpc-0a1b2c3d")]);
            here.local(&text);
            here.portable(&text, (SELF_ACCOUNT, "us-east-1"));
        }
    }
}
