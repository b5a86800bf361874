//! Records in any order, given back in the order of their keys: an external merge sort.
//!
//! What is pushed gathers in memory up to [`MEMORY`]; then it is sorted and written as a run into a file without a name,
//! which the system removes whatever happens. At the end the runs are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Store, disk};
use crate::core::address::Address;
use crate::core::name::Name;
use crate::core::record::Record;
use crate::error::{Error, Result};
use crate::tree::{Entry, Leaf};

/// Bytes held before a run is written.
const MEMORY: usize = 32 * 1024 * 1024;
/// What an item takes besides its bytes.
const OVERHEAD: usize = 64;
/// Runs that are merged into one when there are as many, so that open files stay few.
const RUNS: usize = 64;

/// See [`Store::sorter`].
pub struct Sorter<'a> {
    store: &'a Store,
    folder: PathBuf,
    memory: usize,
    held: Vec<Item>,
    bytes: usize,
    runs: Vec<File>,
}

/// A key and what is under it.
type Item = (Vec<u8>, Vec<u8>);

/// An entry without its key, as a run holds it.
#[derive(Serialize, Deserialize)]
struct Packed {
    /// The address, where the key does not tell it.
    whole: Option<Address>,
    /// A leaf's content size.
    content: Option<u64>,
    leaf: PackedLeaf,
}

#[derive(Serialize, Deserialize)]
enum PackedLeaf {
    Inline(bytes::Bytes),
    Spilled(Name, u64),
}

impl<'a> Sorter<'a> {
    pub(super) fn new(store: &'a Store, folder: &Path) -> Sorter<'a> {
        Sorter { store, folder: folder.to_owned(), memory: MEMORY, held: Vec::new(), bytes: 0, runs: Vec::new() }
    }

    /// Takes one record. For an address pushed twice the last one counts.
    pub fn push(&mut self, address: &Address, record: &Record) -> Result<()> {
        let (key, cut) = address.key();
        let (content, leaf) = match Leaf::new(self.store, address, record)? {
            Leaf::Inline { bytes, content } => (content, PackedLeaf::Inline(bytes)),
            Leaf::Spilled { name, length, content } => (content, PackedLeaf::Spilled(name, length)),
        };
        let packed = Packed { whole: cut.then(|| address.clone()), content, leaf };
        let packed =
            postcard::to_stdvec(&packed).map_err(|error| Error::failed("can't sort a record").because(error))?;
        self.bytes += key.len() + packed.len() + OVERHEAD;
        self.held.push((key, packed));
        if self.bytes >= self.memory { self.spill() } else { Ok(()) }
    }

    /// Everything pushed, in order.
    pub fn finish(mut self) -> Result<Box<dyn Iterator<Item = Result<Entry>> + Send + 'a>> {
        self.sort();
        if self.runs.is_empty() {
            return Ok(Box::new(self.held.into_iter().map(unpack)));
        }
        self.spill()?;
        let merged = merge(self.runs).map_err(failed(&self.folder))?;
        let failed = failed(&self.folder);
        Ok(Box::new(merged.map(move |item| item.map_err(&failed).and_then(unpack))))
    }

    /// Sorts what is held; of equal keys the last one stays.
    fn sort(&mut self) {
        self.held.sort_by(|a, b| a.0.cmp(&b.0));
        // `dedup_by` drops its first argument, the later one: so the later value moves into the earlier place first.
        self.held.dedup_by(|later, earlier| {
            let equal = later.0 == earlier.0;
            if equal {
                std::mem::swap(later, earlier);
            }
            equal
        });
    }

    fn spill(&mut self) -> Result<()> {
        self.sort();
        self.bytes = 0;
        let held = std::mem::take(&mut self.held);
        let run = write_run(&self.folder, held.into_iter().map(Ok)).map_err(failed(&self.folder))?;
        self.runs.push(run);
        if self.runs.len() >= RUNS {
            let runs = std::mem::take(&mut self.runs);
            let run = merge(runs).and_then(|merged| write_run(&self.folder, merged)).map_err(failed(&self.folder))?;
            self.runs.push(run);
        }
        Ok(())
    }
}

fn failed(folder: &Path) -> impl Fn(io::Error) -> Error + use<> {
    disk::failed(format!("can't sort records in {}", folder.display()))
}

fn unpack((key, packed): Item) -> Result<Entry> {
    let packed: Packed =
        postcard::from_bytes(&packed).map_err(|error| Error::failed("can't sort a record").because(error))?;
    let address = packed.whole.map_or_else(|| Address::from_key(&key), Ok)?;
    let content = packed.content;
    let leaf = match packed.leaf {
        PackedLeaf::Inline(bytes) => Leaf::Inline { bytes, content },
        PackedLeaf::Spilled(name, length) => Leaf::Spilled { name, length, content },
    };
    Ok(Entry { address, leaf })
}

fn write_run(folder: &Path, items: impl Iterator<Item = io::Result<Item>>) -> io::Result<File> {
    let mut writer = BufWriter::with_capacity(256 * 1024, tempfile::tempfile_in(folder)?);
    for item in items {
        let (key, packed) = item?;
        for part in [key, packed] {
            writer.write_all(&(part.len() as u32).to_le_bytes())?;
            writer.write_all(&part)?;
        }
    }
    let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

/// The items of all runs in order; of equal keys that of the last run.
fn merge(runs: Vec<File>) -> io::Result<impl Iterator<Item = io::Result<Item>> + Send> {
    let mut runs: Vec<_> = runs.into_iter().map(|run| BufReader::with_capacity(64 * 1024, run)).collect();
    let mut heads = BinaryHeap::new();
    for (number, run) in runs.iter_mut().enumerate() {
        // Runs count downwards in the heap, so that among equal keys the last run comes first.
        heads.extend(read_item(run)?.map(|(key, packed)| Reverse((key, Reverse(number), packed))));
    }
    let mut next = move || -> io::Result<Option<Item>> {
        let mut found: Option<Item> = None;
        while let Some(mut head) = heads.peek_mut() {
            if found.as_ref().is_some_and(|(key, _)| *key != head.0.0) {
                break;
            }
            let Reverse((_, Reverse(number), _)) = *head;
            let following = read_item(&mut runs[number])?;
            let Reverse((key, _, packed)) = match following {
                Some((key, packed)) => std::mem::replace(&mut *head, Reverse((key, Reverse(number), packed))),
                None => PeekMut::pop(head),
            };
            found.get_or_insert((key, packed));
        }
        Ok(found)
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

fn read_item(run: &mut impl Read) -> io::Result<Option<Item>> {
    match read_part(run) {
        Ok(key) => Ok(Some((key, read_part(run)?))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_part(run: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    run.read_exact(&mut length)?;
    let mut part = vec![0; u32::from_le_bytes(length) as usize];
    run.read_exact(&mut part)?;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::value::Value;
    use crate::store::tests::Home;

    #[test]
    fn records_come_back_in_order_and_the_last_of_equals_counts_however_many_runs() {
        for memory in [MEMORY, 2_000, 100] {
            let home = Home::new();
            let mut sorter = home.store.sorter().unwrap();
            sorter.memory = memory;
            let bucket = Address::resource("self", "us-east-1", "s3", "bucket", "b");
            let mut expected = BTreeMap::new();
            for number in 0..2_000u32 {
                // Every third address comes several times, and every seventh key is cut.
                let item = if number % 3 == 0 { number % 100 } else { number.wrapping_mul(2_654_435_761) };
                let item = if number % 7 == 0 { format!("{item}{}", "x".repeat(300)) } else { item.to_string() };
                let address = bucket.item("objects", &item);
                let record = Record::new(BTreeMap::from([("Number".into(), Value::from(i64::from(number)))]));
                sorter.push(&address, &record).unwrap();
                expected.insert(address.key().0, (address, number));
            }
            let entries: Vec<Entry> = sorter.finish().unwrap().collect::<Result<_>>().unwrap();
            let found: Vec<_> = entries.iter().map(|entry| entry.address.clone()).collect();
            let wanted: Vec<_> = expected.values().map(|(address, _)| address.clone()).collect();
            assert_eq!(found, wanted, "{memory}");
            for (entry, (_, number)) in entries.iter().zip(expected.values()) {
                let record = entry.leaf.record(&home.store).unwrap();
                assert_eq!(record.attributes["Number"], Value::from(i64::from(*number)));
            }
        }
    }
}
