//! Rules for withholding: which values of an instance never go into a pod.
//!
//! | rule | withholds |
//! |---|---|
//! | `secrets` | the values of Secrets Manager's secrets |
//! | `securestrings` | the values of SSM parameters of type `SecureString` |
//! | `env:NAME` | environment variables of that name, wherever a record has an environment |
//! | `dynamodb:TABLE:PATH` | that attribute of the table's items |
//! | `ADDRESS#PATH` | that attribute of the records at these addresses; the path `body` also means the bytes they carry |
//!
//! NAME, TABLE and ADDRESS are globs, as is every name in a PATH: `a.b[0]`, `a.b[*].*`; a backslash takes a dot or a
//! bracket literally. The general form cuts at its last `#`. Where a path leads on into a text, all of that text is
//! withheld: it may be a document that holds what is meant.
//!
//! A withheld value becomes [`Value::Withheld`] before anything is hashed or stored; [`super::withheld`] says what such
//! a record means later.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

use crate::core::address::Address;
use crate::core::record::{Body, Record};
use crate::core::value::Value;
use crate::error::{Error, Result};
use crate::limits;

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    text: String,
    addresses: GlobMatcher,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// What a path leads to; only of records whose attribute of that name has that text, if one is named.
    Path(Vec<Step>, Option<(&'static str, &'static str)>),
    /// Environment variables by name.
    Environment(GlobMatcher),
}

/// One step of a path.
#[derive(Debug, Clone)]
enum Step {
    Name(GlobMatcher),
    /// An element of a list; none for each.
    Item(Option<usize>),
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rule> {
        let broken = |why: &str| {
            Error::usage(format!("{text:?} is not a rule: {why}"))
                .hint("secrets, securestrings, env:NAME, dynamodb:TABLE:PATH or ADDRESS#PATH")
        };
        if text.len() > limits::REDACT_RULE || text.chars().any(char::is_control) {
            return Err(broken("it is too long or can't be printed"));
        }
        let (addresses, what) = if let Some((addresses, path)) = text.rsplit_once('#') {
            (addresses.to_owned(), What::Path(path_of(path)?, None))
        } else if text == "secrets" {
            ("*/secretsmanager/secret/*/version/*".to_owned(), What::Path(path_of("Secret{String,Binary}")?, None))
        } else if text == "securestrings" {
            ("*/ssm/parameter/*".to_owned(), What::Path(path_of("Value")?, Some(("Type", "SecureString"))))
        } else if let Some(name) = text.strip_prefix("env:") {
            ("*".to_owned(), What::Environment(glob(name)?))
        } else if let Some((table, path)) = text.strip_prefix("dynamodb:").and_then(|rest| rest.split_once(':')) {
            (format!("*/dynamodb/table/{table}/item/*"), What::Path(path_of(path)?, None))
        } else {
            return Err(broken("peapod knows no such kind"));
        };
        if addresses.is_empty() || addresses.contains("table//") {
            return Err(broken("it names no address"));
        }
        Ok(Rule { text: text.to_owned(), addresses: glob(&addresses)?, what })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher> {
    if pattern.is_empty() {
        return Err(Error::usage("a rule with an empty glob").hint("`*` matches all"));
    }
    let glob = GlobBuilder::new(pattern).literal_separator(false).build();
    let glob = glob.map_err(|error| Error::usage(format!("\"{pattern}\" is not a glob")).because(error))?;
    Ok(glob.compile_matcher())
}

/// The steps of `a.b[0].c`.
fn path_of(path: &str) -> Result<Vec<Step>> {
    let broken = || Error::usage(format!("\"{path}\" is not a path")).hint("say a.b[0].c, or a.*[*]");
    let mut steps = vec![];
    let mut name = String::new();
    let mut after_item = false;
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                // The glob takes the next character literally too.
                name.push('\\');
                name.push(chars.next().ok_or_else(broken)?);
            }
            '.' if after_item => after_item = false,
            '.' => steps.push(Step::Name(glob(&std::mem::take(&mut name)).map_err(|_| broken())?)),
            '[' => {
                if !after_item {
                    steps.push(Step::Name(glob(&std::mem::take(&mut name)).map_err(|_| broken())?));
                }
                let index: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let index = if index == "*" { None } else { Some(index.parse().map_err(|_| broken())?) };
                steps.push(Step::Item(index));
                after_item = true;
            }
            _ if after_item => return Err(broken()),
            c => name.push(c),
        }
    }
    if !after_item {
        steps.push(Step::Name(glob(&name).map_err(|_| broken())?));
    }
    if steps.len() > limits::NESTING { Err(broken()) } else { Ok(steps) }
}

/// Rules that hold together.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// The rules that these texts are, none twice.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Rules> {
        let mut rules: Vec<Rule> = vec![];
        for text in texts {
            let rule: Rule = text.as_ref().parse()?;
            if !rules.iter().any(|known| known.text == rule.text) {
                rules.push(rule);
            }
        }
        Ok(Rules { rules })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules' texts, in the order of the counts that [`Rules::withhold`] makes.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.text.as_str())
    }

    /// Whether the body of a record at this address is withheld, so that it must not be read.
    pub fn withholds_body(&self, address: &Address) -> bool {
        !self.rules.is_empty() && {
            let printed = address.to_string();
            self.rules.iter().any(|rule| rule.means_body(address) && rule.addresses.is_match(&printed))
        }
    }

    /// Takes out of the record what the rules withhold, and counts the places for each rule; a place that several rules
    /// mean counts for each, one that was withheld before counts too. Says whether the record is another now.
    pub fn withhold(&self, address: &Address, record: &mut Record, counts: &mut Vec<u64>) -> bool {
        counts.resize(self.rules.len(), 0);
        if self.rules.is_empty() {
            return false;
        }
        let (printed, was) = (address.to_string(), record.clone());
        for (rule, count) in self.rules.iter().zip(counts) {
            if rule.addresses.is_match(&printed) {
                *count += rule.withhold(address, record);
            }
        }
        was != *record
    }
}

impl Rule {
    fn means_body(&self, address: &Address) -> bool {
        let What::Path(steps, _) = &self.what else { return false };
        // The long values of a large row of a database stand in its body.
        address.service() == "sqlite" || matches!(steps.as_slice(), [Step::Name(name)] if name.is_match("body"))
    }

    fn withhold(&self, address: &Address, record: &mut Record) -> u64 {
        match &self.what {
            What::Path(_, Some((name, text))) if record.text(name) != Some(text) => 0,
            What::Path(steps, _) => {
                let mut count = fields(&mut record.attributes, steps);
                if self.means_body(address)
                    && let Some(body) = &mut record.body
                {
                    *body = Body::Withheld;
                    count += 1;
                }
                count
            }
            What::Environment(names) => record.attributes.iter_mut().map(|(n, v)| environments(n, v, names)).sum(),
        }
    }
}

fn fields(map: &mut std::collections::BTreeMap<String, Value>, steps: &[Step]) -> u64 {
    let Some((Step::Name(name), rest)) = steps.split_first() else { return 0 };
    map.iter_mut().filter(|(field, _)| name.is_match(field)).map(|(_, value)| follow(value, rest)).sum()
}

fn follow(value: &mut Value, steps: &[Step]) -> u64 {
    match (steps.split_first(), &mut *value) {
        // A set's elements have no place to name one by.
        (None, _) | (Some(_), Value::Text(_) | Value::Bytes(_) | Value::Set(_) | Value::Withheld) => {
            *value = Value::Withheld;
            1
        }
        (Some((Step::Name(_), _)), Value::Map(map)) => fields(map, steps),
        (Some((Step::Item(index), rest)), Value::List(list)) => {
            let meant = |place: usize| index.is_none_or(|index| index == place);
            let meant = list.iter_mut().enumerate().filter(|(place, _)| meant(*place));
            meant.map(|(_, item)| follow(item, rest)).sum()
        }
        _ => 0,
    }
}

/// Withholds variables in every environment in this field: what is called so in any service.
fn environments(field: &str, value: &mut Value, names: &GlobMatcher) -> u64 {
    if matches!(field.to_ascii_lowercase().as_str(), "environment" | "environmentvariables") {
        return variables(value, names);
    }
    match value {
        Value::Map(map) => map.iter_mut().map(|(field, value)| environments(field, value, names)).sum(),
        Value::List(list) => list.iter_mut().map(|item| environments("", item, names)).sum(),
        Value::Set(set) => each(set, |item| environments("", item, names)),
        _ => 0,
    }
}

/// Withholds variables by name: in a map by name, in Lambda's `Variables`, or in a list of names and values.
fn variables(value: &mut Value, names: &GlobMatcher) -> u64 {
    match value {
        Value::Map(map) => {
            if let Some(inner) = map.get_mut("Variables") {
                return variables(inner, names);
            }
            let meant = map.iter_mut().filter(|(name, _)| names.is_match(name));
            meant.map(|(_, value)| follow(value, &[])).sum()
        }
        Value::List(list) => list.iter_mut().map(|pair| variable(pair, names)).sum(),
        Value::Set(set) => each(set, |pair| variable(pair, names)),
        _ => follow(value, &[]),
    }
}

/// `{name, value}`.
fn variable(pair: &mut Value, names: &GlobMatcher) -> u64 {
    let Value::Map(map) = pair else { return 0 };
    let named = map.iter().find(|(field, _)| field.eq_ignore_ascii_case("name")).and_then(|(_, name)| name.as_text());
    if !named.is_some_and(|name| names.is_match(name)) {
        return 0;
    }
    let values = map.iter_mut().filter(|(field, _)| field.eq_ignore_ascii_case("value"));
    values.map(|(_, value)| follow(value, &[])).sum()
}

fn each(set: &mut std::collections::BTreeSet<Value>, mut change: impl FnMut(&mut Value) -> u64) -> u64 {
    let mut count = 0;
    let changed = std::mem::take(set).into_iter().map(|mut item| {
        count += change(&mut item);
        item
    });
    *set = changed.collect();
    count
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::core::value::tests::values;

    fn value(json: serde_json::Value) -> Value {
        Value::from_json(&json).unwrap()
    }

    fn record(json: serde_json::Value) -> Record {
        Record::new(value(json).as_map().cloned().unwrap())
    }

    /// What the rule makes of the record, as JSON, and how many places it withholds.
    fn withheld(rule: &str, address: &str, json: serde_json::Value) -> (serde_json::Value, u64) {
        let rules = Rules::parse([rule]).unwrap();
        let (mut record, mut counts) = (record(json), vec![]);
        rules.withhold(&Address::parse(address).unwrap(), &mut record, &mut counts);
        (Value::Map(record.attributes).to_json(), counts[0])
    }

    #[test]
    fn each_rule_withholds_what_it_says_and_nothing_else() {
        use serde_json::json;
        let gone = json!({"withheld": true});
        let version = "self/us-east-1/secretsmanager/secret/db/version/1";
        let secret = json!({"SecretString": "s3cret", "VersionStages": ["AWSCURRENT"]});
        let (left, count) = withheld("secrets", version, secret.clone());
        assert_eq!((left, count), (json!({"SecretString": gone, "VersionStages": ["AWSCURRENT"]}), 1));
        assert_eq!(withheld("securestrings", version, secret.clone()), (secret, 0));

        let parameter = "self/us-east-1/ssm/parameter/%2Fapp%2Fkey";
        let secure = json!({"Type": "SecureString", "Value": "v"});
        let plain = json!({"Type": "String", "Value": "v"});
        assert_eq!(withheld("securestrings", parameter, secure).0["Value"], gone);
        assert_eq!(withheld("securestrings", parameter, plain.clone()), (plain, 0));

        let function = "self/us-east-1/lambda/function/f";
        let config = json!({"Environment": {"Variables": {"API_KEY": "k", "STAGE": "dev"}}, "API_KEY": "not one"});
        let (left, count) = withheld("env:*_KEY", function, config);
        assert_eq!(
            left,
            json!({"Environment": {"Variables": {"API_KEY": gone, "STAGE": "dev"}}, "API_KEY": "not one"})
        );
        assert_eq!(count, 1);
        let task = "self/us-east-1/ecs/task-definition/t";
        let containers = json!({"containerDefinitions": [{"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]});
        let (left, _) = withheld("env:B", task, containers);
        assert_eq!(left["containerDefinitions"][0]["environment"][1], json!({"name": "B", "value": gone}));
        assert_eq!(left["containerDefinitions"][0]["environment"][0]["value"], "1");

        let item = r#"self/us-east-1/dynamodb/table/users/item/{"id":{"S":"1"}}"#;
        let user =
            json!({"id": "1", "cards": [{"number": "4111", "kind": "x"}, {"number": "42"}], "card": {"number": "7"}});
        let (left, count) = withheld("dynamodb:us*:cards[*].number", item, user.clone());
        assert_eq!(left["cards"], json!([{"number": gone, "kind": "x"}, {"number": gone}]));
        assert_eq!((count, &left["card"]), (2, &user["card"]));
        assert_eq!(withheld("dynamodb:us*:cards[1]", item, user.clone()).0["cards"][0], user["cards"][0]);
        assert_eq!(withheld("dynamodb:us*:cards[1]", item, user.clone()).0["cards"][1], gone);
        assert_eq!(withheld("dynamodb:orders:cards", item, user.clone()), (user, 0));
        assert_eq!(
            withheld("*/secret/*#SecretString.password", version, json!({"SecretString": "{}"})).0["SecretString"],
            gone
        );
        assert_eq!(withheld(r"*#a\.b", item, json!({"a.b": 1, "a": {"b": 2}})).0, json!({"a.b": gone, "a": {"b": 2}}));
    }

    #[test]
    fn a_body_is_withheld_by_its_address() {
        let rules = Rules::parse(["*/s3/bucket/private/object/*#body"]).unwrap();
        let bucket = Address::resource("self", "us-east-1", "s3", "bucket", "private");
        let other = Address::resource("self", "us-east-1", "s3", "bucket", "other").item("object", "o");
        assert!(rules.withholds_body(&bucket.item("object", "a/b")) && !rules.withholds_body(&other));
        let mut record = Record { body: Some(Body::Inline(vec![1])), ..Record::default() };
        let mut counts = vec![];
        assert!(rules.withhold(&bucket.item("object", "a/b"), &mut record, &mut counts));
        assert_eq!((record.body, counts), (Some(Body::Withheld), vec![1]));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in [
            "",
            "secret",
            "env:",
            "env:[a",
            "dynamodb:t",
            "dynamodb::a",
            "#a",
            "*#",
            "*#a..b",
            "*#a[",
            "*#a[x]",
            "*#a[0]b",
            "a\nb#c",
        ] {
            assert!(Rules::parse([bad]).is_err(), "{bad:?}");
        }
        assert!(Rules::parse(["x".repeat(limits::REDACT_RULE + 1) + "#a"]).is_err());
        assert_eq!(
            Rules::parse(["secrets", "env:A", "secrets"]).unwrap().texts().collect::<Vec<_>>(),
            ["secrets", "env:A"]
        );
    }

    /// Whether the text stands anywhere in the value.
    fn holds(value: &Value, text: &str) -> bool {
        format!("{value:?}").contains(text)
    }

    proptest! {
        #[test]
        fn nothing_of_a_withheld_attribute_is_left(inner in values(), rest in values()) {
            let secret = Value::Map(BTreeMap::from([("deep".to_owned(), inner), ("secret".to_owned(), "S3CR3T-BYTES".into())]));
            let mut record = Record::new([("A".to_owned(), secret), ("B".to_owned(), rest.clone())].into());
            let address = Address::resource("self", "r", "s", "kind", "n");
            let rules = Rules::parse(["*/kind/n#A"]).unwrap();
            prop_assert!(rules.withhold(&address, &mut record, &mut vec![]));
            prop_assert!(!holds(&Value::Map(record.attributes.clone()), "S3CR3T-BYTES"));
            prop_assert_eq!(&record.attributes["B"], &rest);
            // Twice is once.
            let again = record.clone();
            prop_assert!(!rules.withhold(&address, &mut record, &mut vec![]));
            prop_assert_eq!(again, record);
        }

        #[test]
        fn any_text_is_a_rule_or_an_error_and_any_record_stands_it(text in "[a-z*:#.\\[\\]\\\\0-9]{0,16}", value in values()) {
            if let Ok(rules) = Rules::parse([text]) {
                let address = Address::resource("self", "r", "dynamodb", "table", "n").item("item", "i");
                rules.withhold(&address, &mut Record::new([("a".to_owned(), value)].into()), &mut vec![]);
            }
        }
    }
}
