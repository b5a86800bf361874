//! How conflicts look as text.

use crate::app::views::ConflictView;
use crate::cli::style::{LINES, Paint, one_line, plain};

/// Characters of one side's value.
const VALUE: usize = 60;
/// What the state that both sides come from is called.
const BASE: &str = "base";

/// Conflicts that stopped a command: what each side did and has.
pub(crate) fn text(paint: Paint, conflicts: &[ConflictView]) -> String {
    let mut text = String::new();
    for conflict in conflicts.iter().take(LINES) {
        text.push_str(&format!("  {}  {}\n", plain(&conflict.address), paint.dim(&plain(&conflict.reason))));
        let width =
            [BASE, &conflict.ours.side, &conflict.theirs.side].map(|side| side.chars().count()).into_iter().max();
        let width = width.unwrap_or_default();
        for attribute in &conflict.attributes {
            text.push_str(&format!("    {}\n", plain(&attribute.attribute)));
            let sides = [(&conflict.ours.side, &attribute.ours), (&conflict.theirs.side, &attribute.theirs)];
            let name = BASE.to_owned();
            let base = attribute.base.is_some().then_some((&name, &attribute.base));
            for (side, value) in base.into_iter().chain(sides) {
                let value = value.as_ref().map_or_else(|| paint.dim("not set"), |value| one_line(value, VALUE));
                text.push_str(&format!("      {:width$}  {value}\n", plain(side)));
            }
        }
    }
    if conflicts.len() > LINES {
        text.push_str(&format!("  ... and {} more; --json lists them all\n", conflicts.len() - LINES));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_conflict_shows_what_each_side_has() {
        let view = json!({
            "address": "self/r/ssm/parameter/p",
            "reason": "changed in instance, changed in pod by ben",
            "ours": {"side": "instance", "did": "changed", "author": null, "member": null},
            "theirs": {"side": "pod", "did": "changed", "author": "ab", "member": "ben"},
            "attributes": [
                {"attribute": "Value", "ours": "v".repeat(100), "theirs": "one\ntwo"},
                {"attribute": "Tier", "base": 2, "ours": null, "theirs": 3},
            ],
        });
        let view: ConflictView = serde_json::from_value(view).unwrap();
        let no_terminal = std::fs::File::open("/dev/null").unwrap();
        let text = text(Paint::of(&no_terminal), &vec![view; LINES + 2]);
        let long = format!("{}…", "v".repeat(VALUE));
        let first: Vec<&str> = text.lines().take(8).collect();
        assert_eq!(
            first,
            [
                "  self/r/ssm/parameter/p  changed in instance, changed in pod by ben",
                "    Value",
                &format!("      instance  {long}"),
                "      pod       one\\ntwo",
                "    Tier",
                "      base      2",
                "      instance  not set",
                "      pod       3",
            ]
        );
        assert_eq!(text.lines().last(), Some("  ... and 2 more; --json lists them all"));
    }
}
