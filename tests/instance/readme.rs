//! The README's table of what each emulator keeps says what the tests measure.

use std::collections::BTreeSet;

use crate::common::emulators::Make;
use crate::{compute, data};

const README: &str = include_str!("../../README.md");

/// The attributes that the table, or the measurement, says a make does not keep.
type Attributes = BTreeSet<String>;

/// The words in backticks of one column of the README's table.
fn claimed(column: usize) -> Attributes {
    let rows =
        README.lines().skip_while(|line| !line.starts_with("| | ministack")).take_while(|line| line.starts_with('|'));
    let cells = rows.skip(2).filter_map(|row| row.split('|').nth(column + 2).map(str::to_owned));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The attributes that the round trips of the other modules lose: each of their lines ends in one.
fn measured(make: Make) -> Attributes {
    let lines = compute::not_kept(make).into_iter().chain(data::not_kept(make));
    lines.filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}

#[test]
fn the_readme_names_exactly_what_each_emulator_does_not_keep() {
    for (column, make) in Make::ALL.into_iter().enumerate() {
        assert_eq!(claimed(column), measured(make), "{}", make.name());
    }
}
