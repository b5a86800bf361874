//! `kept.md`, the table of what each emulator keeps: made of what the round trips measure, and never older than that.
//!
//! `UPDATE_EXPECT=1 cargo test --test instance kept` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::common::captured::{Captured, connect};
use crate::common::emulators::{Emulator, Make};
use crate::{compute, data, functions, gateway, groups, messaging, network, orchestration, settings, streams};

const PINS: &str = include_str!("../../bootstrap/lib.sh");

/// One row: what is kept, the records that it speaks of, and what a list of attributes does not say.
struct Row {
    what: &'static str,
    service: &'static str,
    /// None for all kinds of the service that no other row names.
    kind: Option<&'static str>,
    notes: &'static [(Make, &'static str)],
}

const fn row(what: &'static str, service: &'static str) -> Row {
    Row { what, service, kind: None, notes: &[] }
}

const ROWS: &[Row] = &[
    row("S3 buckets, configuration, objects, tags", "s3"),
    Row {
        notes: &[
            (Make::Moto, "messages through the agent"),
            (Make::Fakecloud, "messages are put back, but not captured: it shows them encrypted"),
        ],
        ..row("SQS queues, messages, tags, redrive", "sqs")
    },
    row("DynamoDB tables and items", "dynamodb"),
    row("Secrets Manager", "secretsmanager"),
    row("SSM parameters", "ssm"),
    Row {
        notes: &[(Make::Moto, "`AttachedPolicies` are those that AWS itself makes")],
        ..row("IAM policies, roles, users, groups, instance profiles, identity providers", "iam")
    },
    Row {
        notes: &[
            (Make::Moto, "code and layers through the agent; of `Policy`, the token of an event source"),
            (Make::LocalStack, "of `Policy`, services whose name does not end in amazonaws.com"),
            (Make::Fakecloud, "of `Policy`, conditions on an organization and on a URL's `AuthType`"),
            (Make::Ministack, "versions are put back, but only those that have the code of `$LATEST` are captured"),
        ],
        ..row("Lambda functions with versions, aliases, URLs, policies; layers", "lambda")
    },
    Row {
        kind: Some("event-source-mapping"),
        notes: &[(Make::LocalStack, "not those of DynamoDB streams")],
        ..row("Lambda event source mappings", "lambda")
    },
    row("SNS topics, subscriptions, tags", "sns"),
    Row {
        notes: &[(Make::LocalStack, "not filters that send to Kinesis, without its download")],
        ..row("CloudWatch Logs groups, streams, events, filters, destinations, resource policies", "logs")
    },
    Row {
        notes: &[
            (Make::Ministack, "of `Policy`, statements that say more than one action for one account"),
            (Make::Fakecloud, "the buses of one region, since it shows each in all"),
        ],
        ..row("EventBridge buses, rules with targets, archives", "events")
    },
    Row {
        notes: &[(
            Make::LocalStack,
            "with its download; not the records of a stream that was split or merged with records in it",
        )],
        ..row("Kinesis streams, consumers, records", "kinesis")
    },
    Row { notes: &[(Make::Moto, "no composite alarms")], ..row("CloudWatch alarms, dashboards", "cloudwatch") },
    Row {
        notes: &[(Make::Ministack, "asymmetric keys with its library `cryptography` only")],
        ..row("KMS keys with other key material, aliases, grants", "kms")
    },
    row("EventBridge Scheduler groups, schedules", "scheduler"),
    Row {
        notes: &[
            (Make::Ministack, "key pairs with another key, since it shows none"),
            (Make::Fakecloud, "those of one region, since it shows each in all; key pairs with another key"),
        ],
        ..row("EC2 networks, security groups, key pairs, launch templates, instances, volumes", "ec2")
    },
    row("EventBridge Pipes", "pipes"),
    row("Step Functions state machines, versions, aliases, activities", "stepfunctions"),
    Row {
        notes: &[
            (
                Make::Ministack,
                "of `methodIntegration`, `cacheNamespace`, `connectionId` and `tlsConfig`; it has no links",
            ),
            (Make::Moto, "of `methodIntegration`, `cacheKeyParameters` and `connectionId`"),
            (Make::LocalStack, "of `methodIntegration`, `cacheNamespace`"),
            (Make::Fakecloud, "what is in one region, since it shows each in all"),
        ],
        ..row("API Gateway REST APIs, stages, keys, usage plans, domain names, links", "apigateway")
    },
    Row {
        notes: &[
            (Make::Ministack, "it has no models and no links"),
            (Make::Moto, "it has no deployments, and lists no models and route responses"),
            (Make::Fakecloud, "what is in one region, since it shows each in all"),
        ],
        ..row("API Gateway HTTP and WebSocket APIs, stages, domain names, links", "apigatewayv2")
    },
];

/// The services that a make does not offer at all.
pub(crate) fn not_offered(make: Make) -> BTreeSet<&'static str> {
    BTreeSet::from_iter(
        match make {
            Make::Ministack | Make::Moto | Make::Fakecloud => [].as_slice(),
            // Without its downloads, and without a licence.
            Make::LocalStack => ["apigatewayv2", "dynamodb", "pipes"].as_slice(),
        }
        .iter()
        .copied(),
    )
}

/// Everything that the round trips of the other modules lose: `ADDRESS ATTRIBUTE`.
fn lost(make: Make) -> Vec<String> {
    let data = data::not_kept(make).into_iter().map(|line| {
        let (name, attribute) = line.split_once(": ").unwrap();
        match name {
            "everything" => format!("self/us-east-1/dynamodb/table/everything {attribute}"),
            "zz-dead" => format!("self/us-east-1/sqs/queue/zz-dead {attribute}"),
            other => panic!("which service is {other} of?"),
        }
    });
    let rest = [
        compute::not_kept(make),
        functions::not_kept(make),
        gateway::not_kept(make),
        groups::not_kept(make),
        messaging::not_kept(make),
        network::not_kept(make),
        orchestration::not_kept(make),
        settings::not_kept(make),
        streams::not_kept(make),
    ];
    // Whole records that are lost are told in a note.
    data.chain(rest.into_iter().flatten()).filter(|line| !line.starts_with('-')).collect()
}

/// The row that speaks of an address: the one of its kind, else the one of its service.
fn row_of(address: &str) -> &'static str {
    let parts: Vec<&str> = address.split('/').collect();
    let of_service = || ROWS.iter().filter(|row| row.service == parts[2]);
    let row =
        of_service().find(|row| row.kind == Some(parts[3])).or_else(|| of_service().find(|row| row.kind.is_none()));
    row.unwrap_or_else(|| panic!("which row tells of {address}?")).what
}

fn cell(row: &Row, make: Make) -> String {
    if not_offered(make).contains(row.service) {
        return "not offered".to_owned();
    }
    // `*Feedback*` and the like stand for several attributes; a resource is named by its kind.
    let mut attributes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let lines = lost(make);
    for line in &lines {
        let (address, attribute) = line.rsplit_once(' ').unwrap();
        if row_of(address) == row.what {
            let parts: Vec<&str> = address.split('/').collect();
            attributes.entry(parts[if parts.len() > 5 { 5 } else { 3 }]).or_default().insert(attribute);
        }
    }
    let named = attributes.iter().map(|(kind, names)| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("{} of {kind}", names.join(", "))
    });
    let mut cell = named.collect::<Vec<_>>().join("; ");
    cell = if cell.is_empty() { "all".to_owned() } else { format!("all but {cell}") };
    for (_, note) in row.notes.iter().filter(|(of, _)| *of == make) {
        write!(cell, " ({note})").unwrap();
    }
    cell
}

/// The version of a make that `bootstrap` installs.
fn pinned(make: Make) -> &'static str {
    let marks: &[&str] = match make {
        Make::Ministack => &["ministack=="],
        Make::Moto => &["moto[server]=="],
        Make::LocalStack => &["localstack-core[runtime]=="],
        Make::Fakecloud => &["fakecloud --version "],
    };
    let start = marks.iter().find_map(|mark| PINS.split_once(mark)).expect("bootstrap pins it").1;
    start.split(|c: char| c != '.' && !c.is_ascii_digit()).next().unwrap()
}

fn table() -> String {
    let mut text = "# What each emulator keeps\n\n\
        A state made by boto3 with every attribute that the API has was captured from every one of these emulators and put into\n\
        every one. Where an emulator keeps less than it was given, the cell names the attributes. The pod has them all the same.\n\
        Written by `UPDATE_EXPECT=1 cargo test --test instance kept`, from what `tests/instance` measures.\n\n|"
        .to_owned();
    for make in Make::ALL {
        write!(text, " | {} {}", make.name(), pinned(make)).unwrap();
    }
    text += " |\n|---|---|---|---|---|\n";
    for row in ROWS {
        write!(text, "| {}", row.what).unwrap();
        for make in Make::ALL {
            write!(text, " | {}", cell(row, make)).unwrap();
        }
        text += " |\n";
    }
    text
}

#[test]
fn the_table_says_exactly_what_was_measured() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/instance/kept.md");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, table()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), table(), "UPDATE_EXPECT=1 writes it anew");
    for service in peapod::instance::aws::services() {
        assert!(ROWS.iter().any(|row| row.service == service.name()), "no row tells of {}", service.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_offers_every_service_but_those_that_the_table_says() {
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        let services: Vec<&str> = peapod::instance::aws::services().iter().map(|service| service.name()).collect();
        let captured = Captured::of_services(&connect(&emulator.url).await, &services).await;
        let skips = captured.skips.lock().unwrap();
        let whole = skips.iter().filter(|skip| skip.prefix.len() == 3).map(|skip| skip.prefix[2].clone());
        // LocalStack has Kinesis where it could download it.
        let refused: BTreeSet<String> = whole.filter(|name| make != Make::LocalStack || name != "kinesis").collect();
        assert_eq!(refused, not_offered(make).into_iter().map(str::to_owned).collect(), "{}", make.name());
    }
}
