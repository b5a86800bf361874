//! The README's table of what each emulator keeps says what the tests measure.

use std::collections::BTreeSet;

use crate::common::emulators::Make;
use crate::{compute, data, messaging, orchestration};

const README: &str = include_str!("../../README.md");

/// A row of the table, and an attribute that it says a make does not keep.
type Cells = BTreeSet<(&'static str, String)>;

/// How the rows begin.
const ROWS: [&str; 14] = [
    "S3 buckets",
    "SQS queues",
    "SQS messages",
    "DynamoDB",
    "Secrets Manager",
    "SSM parameters",
    "IAM",
    "Lambda functions",
    "Lambda event source mappings",
    "SNS topics",
    "CloudWatch Logs groups",
    "EventBridge buses",
    "EventBridge Scheduler",
    "Step Functions",
];

/// The words in backticks of one column of the README's table, by row.
fn claimed(column: usize) -> Cells {
    let table =
        README.lines().skip_while(|line| !line.starts_with("| | ministack")).take_while(|line| line.starts_with('|'));
    let mut cells = Cells::new();
    for line in table.skip(2) {
        let words: Vec<&str> = line.split('|').map(str::trim).collect();
        let row = ROWS.into_iter().find(|row| words[1].starts_with(row));
        let row = row.unwrap_or_else(|| panic!("a row that nothing measures: {}", words[1]));
        cells.extend(words[column + 2].split('`').skip(1).step_by(2).map(|word| (row, word.to_owned())));
    }
    cells
}

/// The row that a line of what a round trip loses belongs to: a printed address and an attribute, or (for the state of
/// `data`) a resource's name and an attribute.
fn row(line: &str) -> &'static str {
    let place = line.split_whitespace().next().unwrap_or_default();
    match (place.trim_end_matches(':'), place.split('/').nth(2), place.split('/').nth(3)) {
        ("everything", ..) => "DynamoDB",
        ("zz-dead", ..) => "SQS queues",
        (_, Some("iam"), _) => "IAM",
        (_, Some("lambda"), Some("event-source-mapping")) => "Lambda event source mappings",
        (_, Some("lambda"), _) => "Lambda functions",
        (_, Some("sns"), _) => "SNS topics",
        (_, Some("logs"), _) => "CloudWatch Logs groups",
        (_, Some("events"), _) => "EventBridge buses",
        (_, Some("scheduler"), _) => "EventBridge Scheduler",
        (_, Some("stepfunctions"), _) => "Step Functions",
        _ => panic!("which row of the README tells of {line}?"),
    }
}

/// The attributes that the round trips of the other modules lose: each of their lines ends in one.
fn measured(make: Make) -> Cells {
    let lines = compute::not_kept(make).into_iter().chain(data::not_kept(make));
    let lines = lines.chain(messaging::not_kept(make)).chain(orchestration::not_kept(make));
    lines.map(|line| (row(&line), line.split_whitespace().last().unwrap_or_default().to_owned())).collect()
}

#[test]
fn the_readme_names_in_each_cell_exactly_what_that_emulator_does_not_keep() {
    for (column, make) in Make::ALL.into_iter().enumerate() {
        assert_eq!(claimed(column), measured(make), "{}", make.name());
    }
}
