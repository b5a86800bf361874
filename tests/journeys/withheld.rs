//! Withholding through the program: what rules keep out of a pod, and what that means where it is put in.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::program::Developer;

/// One value of each sort that a rule knows, `S3CR3T` in each, and something beside them that is open.
const STATE: &str = "
import io, zipfile
aws('secretsmanager').create_secret(Name='db', SecretString='S3CR3T-db', Description='open')
aws('ssm').put_parameter(Name='/app/key', Value='S3CR3T-ssm', Type='SecureString')
param('colour', 'red')
code = io.BytesIO()
with zipfile.ZipFile(code, 'w') as z: z.writestr('f.py', 'def f(e, c): return 1')
role = aws('iam').create_role(RoleName='r', AssumeRolePolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Principal': {'Service': 'lambda.amazonaws.com'}}]}))['Role']['Arn']
aws('lambda').create_function(FunctionName='f', Runtime='python3.12', Role=role, Handler='f.f',
    Code={'ZipFile': code.getvalue()}, Environment={'Variables': {'API_KEY': 'S3CR3T-env', 'STAGE': 'dev'}})
table('users', ada='1')
aws('dynamodb').put_item(TableName='users', Item={'id': {'S': 'ben'}, 'v': {'S': 'x'},
    'cards': {'L': [{'M': {'number': {'S': 'S3CR3T-card'}, 'kind': {'S': 'visa'}}}]}})
bucket('box', open='o')
put('box', 'private/small', 'S3CR3T-small')
put('box', 'private/large', 'S3CR3T-large' * 100_000)
";

const RULES: [&str; 5] =
    ["secrets", "securestrings", "env:*_KEY", "dynamodb:users:cards[*].number", "*/bucket/box/object/private/*#body"];

/// What the instance has where the rules withhold.
const SEEN: &str = "{
  'secrets': [s['Name'] for s in aws('secretsmanager').list_secrets()['SecretList']],
  'params': params(),
  'env': aws('lambda').get_function_configuration(FunctionName='f').get('Environment', {}).get('Variables'),
  'ben': aws('dynamodb').get_item(TableName='users', Key={'id': {'S': 'ben'}})['Item'],
  'box': sorted(objects('box')),
}";

fn with_rules<'a>(command: &[&'a str]) -> Vec<&'a str> {
    command.iter().copied().chain(RULES.iter().flat_map(|rule| ["--redact", rule])).collect()
}

fn stands_in_files(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| match path.is_dir() {
        true => stands_in_files(&path, text),
        false => fs::read(&path).unwrap_or_default().windows(text.len()).any(|window| window == text.as_bytes()),
    })
}

fn counts(document: &Value) -> Vec<(&str, u64)> {
    let withheld = document["withheld"].as_array().unwrap().iter();
    withheld.map(|one| (one["rule"].as_str().unwrap(), one["values"].as_u64().unwrap())).collect()
}

#[test]
fn what_the_rules_withhold_is_not_in_the_pod_and_a_fresh_instance_does_without() {
    let Some((from, to)) = Cloud::ministack().zip(Cloud::ministack()) else { return };
    from.py(STATE);
    let dev = Developer::new();
    let done = dev.ok(&from.url, &with_rules(&["commit", "p"]));
    assert_eq!(counts(&done), [(RULES[0], 1), (RULES[1], 1), (RULES[2], 1), (RULES[3], 1), (RULES[4], 2)]);
    assert_eq!(done["skipped"], json!([]), "{done}");
    assert!(!stands_in_files(&dev.home(), "S3CR3T"));
    assert!(!dev.ok("", &["inspect", "p"]).to_string().contains("S3CR3T"));
    // The instance is as its owner has it, and nothing is new.
    assert_eq!(dev.ok(&from.url, &["inject", "p"])["withheld"], json!([]));
    assert_eq!(dev.ok(&from.url, &["diff", "p", "--instance"])["changed"], json!([]));
    assert_eq!(dev.ok(&from.url, &with_rules(&["commit", "p"]))["made"], false);
    assert_eq!(from.see(SEEN)["env"]["API_KEY"], "S3CR3T-env");

    let done = dev.ok(&to.url, &["inject", "p", "--strict"]);
    let lacking: Vec<(String, String)> = done["withheld"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["address"].as_str().unwrap().to_owned(), one["reason"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(lacking.len(), 6, "{done}");
    for (part, reason) in [
        ("dynamodb/table/users/item", "withheld: cards[0].number"),
        ("lambda/function/f", "withheld: Environment.Variables.API_KEY"),
        ("object/private/large", "left out: body is withheld"),
        ("secretsmanager/secret/db/version", "left out: SecretString is withheld"),
        ("ssm/parameter", "left out: Value is withheld"),
    ] {
        assert!(lacking.iter().any(|(address, why)| address.contains(part) && why == reason), "{part}: {lacking:?}");
    }
    let seen = to.see(SEEN);
    assert_eq!(seen["secrets"], json!(["db"]));
    assert_eq!((&seen["params"], &seen["box"]), (&json!({"colour": "red"}), &json!(["open"])));
    assert_eq!(seen["env"], json!({"STAGE": "dev"}));
    assert_eq!(seen["ben"]["cards"]["L"][0]["M"], json!({"kind": {"S": "visa"}}));
    // What it does without is deleted for nobody.
    assert_eq!(dev.ok(&to.url, &with_rules(&["commit", "p"]))["made"], false);
    assert_eq!(dev.ok(&to.url, &["commit", "p"])["made"], false);
    // With values of its own it keeps them, whatever comes.
    to.py("aws('ssm').put_parameter(Name='/app/key', Value='own', Type='SecureString')");
    dev.ok(&to.url, &["inject", "p", "--strategy", "overwrite"]);
    assert_eq!(to.see("aws('ssm').get_parameter(Name='/app/key', WithDecryption=True)['Parameter']['Value']"), "own");
}

#[test]
fn a_teams_rules_hold_for_every_commit_in_it() {
    let Some(cloud) = Cloud::ministack() else { return };
    cloud.py("aws('secretsmanager').create_secret(Name='db', SecretString='S3CR3T')");
    let dev = Developer::new();
    dev.fails(5, "", &["team", "redact", "secrets"]);
    dev.ok("", &["team", "create", "acme", "--as", "anna"]);
    dev.fails(2, "", &["team", "redact", "nonsense"]);
    dev.fails(4, "", &["team", "redact", "secrets", "--remove"]);
    assert_eq!(dev.ok("", &["team", "redact", "secrets"])["rules"], json!(["secrets"]));
    let done = dev.ok(&cloud.url, &["commit", "p", "--redact", "env:*"]);
    assert_eq!(counts(&done), [("secrets", 1), ("env:*", 0)]);
    assert!(!dev.ok("", &["inspect", "p"]).to_string().contains("S3CR3T"));
    assert!(!stands_in_files(&dev.home(), "S3CR3T"));
    assert_eq!(dev.ok("", &["team", "redact", "secrets", "--remove"])["rules"], json!([]));
    assert_eq!(dev.ok(&cloud.url, &["commit", "p"])["made"], true);
    assert!(dev.ok("", &["inspect", "p"]).to_string().contains("S3CR3T"));
    dev.fails(2, &cloud.url, &["commit", "p", "--redact", "env:"]);
}
