//! What is told of an instance.

use serde_json::Value;

use crate::Place;
use crate::common::emulators::{Emulator, Make, boto3, has_boto3};

#[test]
fn a_status_says_whether_the_agent_is_in_use() {
    let (Some(with), Some(without)) = (Emulator::start(Make::Moto), Emulator::start_plain_moto()) else { return };
    let place = Place::new();
    let status =
        |emulator: &Emulator, json: &str| place.run(&["instance", "status", "--instance", &emulator.url, json]);
    let limits = |status: &Value, service: &str| {
        let services = status["services"].as_array().unwrap();
        services.iter().find(|view| view["service"] == service).unwrap()["limits"].clone()
    };

    let known = status(&with, "--json").json();
    assert_eq!(
        (&known["agent"], limits(&known, "sqs"), limits(&known, "lambda")),
        (&true.into(), Value::Null, Value::Null)
    );
    assert!(status(&with, "-v").out().contains("peapod's agent is in use"));
    let known = status(&without, "--json").json();
    assert_eq!(known["agent"], false);
    assert!(limits(&known, "sqs").is_string() && limits(&known, "lambda").is_string(), "{known}");
    assert!(status(&without, "-v").out().contains("without peapod's agent"));
    let Some(other) = Emulator::start(Make::Ministack) else { return };
    assert_eq!(status(&other, "--json").json()["agent"], Value::Null, "it needs none");
}

#[test]
fn a_conflict_on_the_screen_says_who_has_what() {
    let Some(emulator) = Emulator::start(Make::Ministack).filter(|_| has_boto3()) else { return };
    let place = Place::new();
    place.pod("p", ["red", "blue"]);
    let run = |arguments: &[&str]| place.run(&[arguments, &["--instance", &emulator.url]].concat());
    assert_eq!(run(&["inject", "p@1"]).code(), 0);
    let change = "import boto3\nboto3.client('ssm').put_parameter(Name='/color', Value='green', Overwrite=True)";
    boto3(&emulator.url, change);

    let ran = run(&["inject", "p"]);
    assert_eq!(ran.code(), 3, "{ran:?}");
    let told = "\n  self/us-east-1/ssm/parameter/%2Fcolor  changed in instance, changed in pod\n\
                \x20   Value\n\
                \x20     base      red\n\
                \x20     instance  green\n\
                \x20     pod       blue\n\
                hint: nothing was changed; decide with --on-conflict pod or --on-conflict instance\n";
    assert!(ran.err().starts_with("error: 1 conflict in pod \"p\"") && ran.err().contains(told), "{}", ran.err());
    let conflict = run(&["inject", "p", "--json"]).json()["conflicts"][0].clone();
    assert_eq!((&conflict["ours"]["side"], &conflict["theirs"]["side"]), (&"instance".into(), &"pod".into()));
    assert!(conflict["theirs"]["author"].is_string(), "{conflict}");

    let settled = run(&["inject", "p", "--on-conflict", "pod"]);
    assert!(
        settled.code() == 0 && settled.out().contains("settled self/us-east-1/ssm/parameter/%2Fcolor"),
        "{settled:?}"
    );
}
