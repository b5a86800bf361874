//! How text looks on a terminal: colours where they are wanted, and nothing that a stranger smuggles into them.

use std::io::IsTerminal;

/// Colours, on or off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Colours on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb.
    pub(crate) fn of(stream: &impl IsTerminal) -> Paint {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint { on: stream.is_terminal() && !unwanted && !dumb }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Text of someone else's making, safe to print: what would move the cursor, change colours or turn the reading
/// direction is written out. Line feeds stay.
pub(crate) fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\n') || turns(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Lines of a list that are printed; `--json` has them all.
pub(crate) const LINES: usize = 20;
/// Characters of an attribute that `inspect` and `diff` print.
pub(crate) const ATTRIBUTE: usize = 160;

/// A value on one line: text as it is, all else as JSON; cut to `width` characters.
pub(crate) fn one_line(value: &serde_json::Value, width: usize) -> String {
    let text = match value {
        serde_json::Value::String(text) => plain(text).replace('\n', "\\n"),
        other => plain(&other.to_string()),
    };
    if text.chars().count() <= width { text } else { text.chars().take(width).chain(['…']).collect() }
}

/// The first line of a message, cut to `width` characters.
pub(crate) fn headline(message: &str, width: usize) -> String {
    let line = plain(message.lines().next().unwrap_or_default());
    if line.chars().count() <= width {
        return line;
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The first ten digits of a hash: enough for a person.
pub(crate) fn short(hash: &str) -> String {
    plain(hash).chars().take(10).collect()
}

/// A size in bytes for a person: `3.4 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A number and what it counts: `1 record`, `12,000 records`.
pub(crate) fn count(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", indicatif::HumanCount(number))
}

/// An RFC 3339 time for a person: to the minute, in UTC.
pub(crate) fn time(rfc3339: &str) -> String {
    match rfc3339.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => plain(rfc3339),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_can_not_drive_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\u{202e}c\rd\ne"), "a\\u{1b}[31mb\\u{202e}c\\rd\ne");
        assert_eq!(headline("first line\nsecond", 40), "first line");
        assert_eq!(headline("a long line", 6), "a lon…");
    }

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(12_000, "record"), "12,000 records");
        assert_eq!(time("2026-01-02T03:04:05.678Z"), "2026-01-02 03:04 UTC");
        assert_eq!(time("yesterday"), "yesterday");
    }
}
