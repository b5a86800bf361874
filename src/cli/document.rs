//! The one JSON document that a command ends with, written as its rows come.
//!
//! The rows of the array that comes first go straight to the output; those of other arrays wait in a temporary file.
//! So an answer of a million rows needs no memory, and stays one document: an error after the first row stands in it as
//! its field `error`.

use std::io::{self, Seek, Write};

use serde_json::Value;
use tempfile::SpooledTempFile;

/// Rows wait in memory up to this size, then in a file.
const SPOOL: usize = 1024 * 1024;

/// A document being written.
pub(crate) struct Document {
    /// Whether the first array may be written at once; not while other lines may come before the document.
    direct: bool,
    open: Option<String>,
    waiting: Vec<(String, SpooledTempFile)>,
}

impl Document {
    pub(crate) fn new(direct: bool) -> Document {
        Document { direct, open: None, waiting: vec![] }
    }

    /// Takes one element of the array `list`.
    pub(crate) fn row(&mut self, out: &mut dyn Write, list: &str, value: &Value) -> io::Result<()> {
        if self.direct && self.open.is_none() {
            self.open = Some(list.to_owned());
            write!(out, "{{{}:[{value}", Value::from(list))?;
            return Ok(());
        }
        if self.open.as_deref() == Some(list) {
            return write!(out, ",{value}");
        }
        match self.waiting.iter_mut().find(|(name, _)| name == list) {
            Some((_, spool)) => write!(spool, ",{value}"),
            None => {
                let mut spool = SpooledTempFile::new(SPOOL);
                write!(spool, "{value}")?;
                self.waiting.push((list.to_owned(), spool));
                Ok(())
            }
        }
    }

    /// Ends the document with the outcome's or error's other fields, and empty arrays for `lists` without a row.
    pub(crate) fn finish(mut self, out: &mut dyn Write, rest: &Value, lists: &[&str]) -> io::Result<()> {
        let mut separator = if self.open.is_some() { "]," } else { "{" };
        for (name, spool) in &mut self.waiting {
            write!(out, "{separator}{}:[", Value::from(name.as_str()))?;
            spool.rewind()?;
            io::copy(spool, out)?;
            separator = "],";
        }
        let mut separator = if separator == "{" { "{" } else { "]," };
        let given =
            |name: &str| self.open.as_deref() == Some(name) || self.waiting.iter().any(|(waiting, _)| waiting == name);
        for name in lists.iter().filter(|name| !given(name)) {
            write!(out, "{separator}{}:[]", Value::from(*name))?;
            separator = ",";
        }
        for (name, value) in rest.as_object().into_iter().flatten() {
            write!(out, "{separator}{}:{value}", Value::from(name.as_str()))?;
            separator = ",";
        }
        match separator {
            "{" => writeln!(out, "{{}}"),
            "]," => writeln!(out, "]}}"),
            _ => writeln!(out, "}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(direct: bool, rows: &[(&str, Value)], rest: Value, lists: &[&str]) -> Value {
        let mut out = Vec::new();
        let mut document = Document::new(direct);
        for (list, value) in rows {
            document.row(&mut out, list, value).unwrap();
        }
        document.finish(&mut out, &rest, lists).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn rows_and_fields_make_one_document() {
        let rows = [("added", json!("a")), ("removed", json!("b")), ("added", json!("c")), ("removed", json!("d"))];
        let whole = json!({"added": ["a", "c"], "removed": ["b", "d"], "changed": [], "to": "x"});
        for direct in [true, false] {
            assert_eq!(write(direct, &rows, json!({"to": "x"}), &["added", "changed", "removed"]), whole);
            assert_eq!(write(direct, &rows[..1], json!({}), &[]), json!({"added": ["a"]}));
            assert_eq!(write(direct, &rows[..2], json!({}), &[]), json!({"added": ["a"], "removed": ["b"]}));
            assert_eq!(write(direct, &[], json!({}), &["added"]), json!({"added": []}));
            assert_eq!(write(direct, &[], json!({}), &[]), json!({}));
            assert_eq!(write(direct, &[], json!({"a\"b": 1}), &[]), json!({"a\"b": 1}));
        }
    }
}
