//! SQLite's typed values in records and in keys.
//!
//! A record must tell `1` from `1.0` and text from bytes, since SQLite does. Null, integers, text and bytes are values of
//! their own; a real number is one where it has a fraction, and `{"Real": "1.0"}` where it would pass for an integer. Of
//! a large row the long values stand one behind the other in the record's body, `{"Text": LENGTH}` or `{"Blob": LENGTH}`
//! in their place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::value::{Number, Value};
use crate::core::withheld;
use crate::error::{Error, Result};
use crate::limits;

/// A row whose text and bytes take more than this has its long values in the body.
const ROW_INLINE: usize = 64 * 1024;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    /// Bytes: SQLite does not see to it that text is UTF-8.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef<'_>) -> Cell {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(integer) => Cell::Integer(integer),
            ValueRef::Real(real) => Cell::Real(real),
            ValueRef::Text(text) => Cell::Text(text.to_vec()),
            ValueRef::Blob(blob) => Cell::Blob(blob.to_vec()),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Integer(integer) => ValueRef::Integer(*integer),
            Cell::Real(real) => ValueRef::Real(*real),
            Cell::Text(text) => ValueRef::Text(text),
            Cell::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

impl Cell {
    fn bytes(&self) -> &[u8] {
        match self {
            Cell::Text(bytes) | Cell::Blob(bytes) => bytes,
            _ => &[],
        }
    }

    fn value(&self) -> Value {
        let tagged = |tag: &str, value| Value::Map([(tag.to_owned(), value)].into());
        match self {
            Cell::Null => Value::Null,
            Cell::Integer(integer) => number(*integer),
            Cell::Real(real) => match Number::parse(&format!("{real:?}")) {
                Ok(number) if real.fract() != 0.0 => Value::Number(number),
                _ => tagged("Real", Value::text(format!("{real:?}"))),
            },
            Cell::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Value::text(text),
                Err(_) => tagged("Text", Value::Bytes(text.clone())),
            },
            Cell::Blob(blob) => Value::Bytes(blob.clone()),
        }
    }

    /// As SQL writes it, in one way: how a key stands in an address.
    fn literal(&self) -> Option<String> {
        Some(match self {
            Cell::Null => return None,
            Cell::Integer(integer) => integer.to_string(),
            Cell::Real(real) => format!("{real:?}"),
            Cell::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => format!("'{}'", text.replace('\'', "''")),
                Err(_) => format!("t'{}'", hex::encode(text)),
            },
            Cell::Blob(blob) => format!("x'{}'", hex::encode(blob)),
        })
    }
}

fn number(integer: impl ToString) -> Value {
    // The text of an integer always parses.
    Number::parse(&integer.to_string()).map_or(Value::Null, Value::Number)
}

/// The key that these cells are, as it stands in an address; none if one is null, since nulls do not tell rows apart.
pub(super) fn key<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Option<String> {
    let literals: Option<Vec<String>> = cells.into_iter().map(Cell::literal).collect();
    Some(literals?.join(","))
}

/// A name for rows that have no key: what makes them the same to anybody who looks.
pub(super) fn digest(cells: &[Cell]) -> String {
    let mut text = String::new();
    for cell in cells {
        let literal = cell.literal().unwrap_or_else(|| "null".to_owned());
        let _ = write!(text, "{}:{literal},", literal.len());
    }
    let hash = blake3::derive_key("peapod 2026 row without a key v1", text.as_bytes());
    hex::encode(hash.get(..16).unwrap_or_default())
}

/// A row as a record.
pub(super) fn record(columns: &[String], cells: &[Cell], contents: &dyn Contents) -> Result<Record> {
    let total: usize = cells.iter().map(|cell| cell.bytes().len()).sum();
    let is_spilled = |cell: &Cell| total > ROW_INLINE && cell.bytes().len() > limits::VALUE_INLINE;
    let mut writer = None;
    let mut attributes = BTreeMap::new();
    for (column, cell) in columns.iter().zip(cells) {
        let value = if is_spilled(cell) {
            writer.get_or_insert_with(|| contents.write_content()).write(cell.bytes())?;
            let tag = if matches!(cell, Cell::Text(_)) { "Text" } else { "Blob" };
            Value::Map([(tag.to_owned(), number(cell.bytes().len()))].into())
        } else {
            cell.value()
        };
        attributes.insert(column.clone(), value);
    }
    let body = writer.map(|writer| writer.finish()).transpose()?.map(Body::Content);
    Ok(Record { body, ..Record::new(attributes) })
}

/// The cells of a record by their columns. Refused ([`crate::error::Kind::Denied`]): what [`record`] does not make.
///
/// `columns` in the order of the table, which is that of the body.
pub(super) fn cells(record: &Record, columns: &[String], contents: &dyn Contents) -> Result<BTreeMap<String, Cell>> {
    let odd = |name: &str| Error::denied(format!("a row whose {name:?} is no value of SQLite's"));
    if let Some(unknown) = record.attributes.keys().find(|name| !columns.contains(name)) {
        return Err(Error::denied(format!("the table has no column {unknown:?} that can be written")));
    }
    let mut body = bytes(record, contents)?.into_iter();
    let mut cells = BTreeMap::new();
    for column in columns {
        let Some(value) = record.attributes.get(column) else { continue };
        let cell = match value {
            Value::Null => Cell::Null,
            Value::Number(number) => match number.as_str().parse::<i64>() {
                Ok(integer) => Cell::Integer(integer),
                Err(_) => Cell::Real(number.as_str().parse().map_err(|_| odd(column))?),
            },
            Value::Text(text) => Cell::Text(text.clone().into_bytes()),
            Value::Bytes(bytes) => Cell::Blob(bytes.clone()),
            Value::Map(fields) => match fields.iter().next() {
                Some((tag, Value::Text(text))) if tag == "Real" => Cell::Real(text.parse().map_err(|_| odd(column))?),
                Some((tag, Value::Bytes(bytes))) if tag == "Text" => Cell::Text(bytes.clone()),
                Some((tag, Value::Number(length))) if tag == "Text" || tag == "Blob" => {
                    let length: usize = length.as_str().parse().map_err(|_| odd(column))?;
                    let bytes: Vec<u8> = body.by_ref().take(length).collect();
                    if bytes.len() != length {
                        return Err(Error::denied("a row whose body is too short"));
                    }
                    if tag == "Text" { Cell::Text(bytes) } else { Cell::Blob(bytes) }
                }
                _ => return Err(odd(column)),
            },
            _ => return Err(odd(column)),
        };
        cells.insert(column.clone(), cell);
    }
    if body.next().is_some() {
        return Err(Error::denied("a row whose body is too long"));
    }
    Ok(cells)
}

fn bytes(record: &Record, contents: &dyn Contents) -> Result<Vec<u8>> {
    let content = match &record.body {
        None => return Ok(vec![]),
        Some(Body::Inline(bytes)) => return Ok(bytes.clone()),
        Some(Body::Content(content)) => content,
        Some(Body::Withheld) => return Err(withheld::error()),
    };
    if content.size > limits::SQLITE_ROW {
        return Err(Error::denied(format!("a row of {} bytes", content.size)));
    }
    let mut bytes = vec![];
    for piece in contents.read_content(content) {
        bytes.extend_from_slice(&piece?);
        if bytes.len() as u64 > content.size {
            return Err(Error::failed("a content that is not as long as it says"));
        }
    }
    Ok(bytes)
}

/// The cells of a key that [`key`] wrote; none for any other text.
pub(super) fn parse_key(text: &str) -> Option<Vec<Cell>> {
    let mut cells = vec![];
    let mut rest = text;
    loop {
        let (cell, after) = parse_literal(rest)?;
        cells.push(cell);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
        if cells.len() > limits::SQLITE_KEY {
            return None;
        }
    }
    (key(&cells).as_deref() == Some(text)).then_some(cells)
}

fn parse_literal(text: &str) -> Option<(Cell, &str)> {
    let quoted = |prefix: &str| text.strip_prefix(prefix)?.split_once('\'');
    if let Some((bytes, rest)) = quoted("x'") {
        return Some((Cell::Blob(hex::decode(bytes).ok()?), rest));
    }
    if let Some((bytes, rest)) = quoted("t'") {
        return Some((Cell::Text(hex::decode(bytes).ok()?), rest));
    }
    if let Some(mut rest) = text.strip_prefix('\'') {
        let mut value = String::new();
        loop {
            let (before, after) = rest.split_once('\'')?;
            value.push_str(before);
            match after.strip_prefix('\'') {
                Some(next) => {
                    value.push('\'');
                    rest = next;
                }
                None => return Some((Cell::Text(value.into_bytes()), after)),
            }
        }
    }
    let end = text.find(',').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let cell = match word.parse::<i64>() {
        Ok(integer) => Cell::Integer(integer),
        Err(_) => Cell::Real(word.parse().ok()?),
    };
    // What does not parse to the end is no key: [`parse_key`] writes it again and compares.
    Some((cell, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::content::{ContentReader, ContentRef, ContentWriter};

    struct Nowhere;

    impl Contents for Nowhere {
        fn write_content(&self) -> Box<dyn ContentWriter> {
            unreachable!("no row here is large")
        }

        fn read_content(&self, _content: &ContentRef) -> ContentReader {
            unreachable!("no row here is large")
        }
    }

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            any::<i64>().prop_map(Cell::Integer),
            (-9i64..9).prop_map(Cell::Integer),
            any::<f64>().prop_filter("SQLite makes NaN null", |real| !real.is_nan()).prop_map(Cell::Real),
            (-9i32..9).prop_map(|integer| Cell::Real(f64::from(integer))),
            "[',a-c0x]{0,6}".prop_map(|text| Cell::Text(text.into_bytes())),
            proptest::collection::vec(any::<u8>(), 0..6).prop_map(Cell::Text),
            proptest::collection::vec(any::<u8>(), 0..6).prop_map(Cell::Blob),
        ]
    }

    proptest! {
        #[test]
        fn a_row_reads_back_from_its_record(row in proptest::collection::vec(cell(), 1..5)) {
            let columns: Vec<String> = (0..row.len()).map(|n| format!("c{n}")).collect();
            let record = record(&columns, &row, &Nowhere).unwrap();
            let back: Vec<Cell> = cells(&record, &columns, &Nowhere).unwrap().into_values().collect();
            prop_assert_eq!(format!("{back:?}"), format!("{row:?}"));
        }

        #[test]
        fn a_key_reads_back_and_no_two_keys_are_one(a in proptest::collection::vec(cell(), 1..4), b in proptest::collection::vec(cell(), 1..4)) {
            let (Some(key_a), Some(key_b)) = (key(&a), key(&b)) else { return Ok(()) };
            prop_assert_eq!(format!("{:?}", parse_key(&key_a).unwrap()), format!("{:?}", a));
            prop_assert_eq!(key_a == key_b, format!("{a:?}") == format!("{b:?}"));
        }

        #[test]
        fn any_text_as_a_key_is_one_or_none(text in "[',xt0-9a-f.e-]{0,12}") {
            if let Some(cells) = parse_key(&text) {
                prop_assert_eq!(key(&cells).unwrap(), text);
            }
        }
    }
}
