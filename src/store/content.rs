//! Large values: cut into chunks where their own bytes say so, under lists cut the same way.
//!
//! Everything that decides where a cut falls is part of the format: a change gives every content another name, and
//! nothing is found again. The chunks are FastCDC's (Xia et al. 2020, the `fastcdc` crate's v2020, normalization level 1,
//! no seed, sizes from `limits`). A list ends after an entry whose name's second byte ends in
//! seven zero bits, so that an insertion changes the lists around it and no others.

use std::vec;

use bytes::Bytes;
use fastcdc::v2020::FastCDC;

use super::Store;
use crate::core::codec::{decode, encode};
use crate::core::content::{ContentRef, ContentWriter, List, ListEntry};
use crate::core::name::{Kind, Name};
use crate::core::objects::Objects;
use crate::error::{Error, Result};
use crate::limits;

/// No list but a level's last one is shorter, so that levels are few whatever the bytes.
const LIST_MIN: usize = 32;
/// Beyond that a list ends after one entry in 128.
const LIST_MASK: u8 = 0x7f;
/// Bytes that may stand unused at the front of the buffer before the rest is moved there.
const SLACK: usize = 256 * 1024;

/// Takes one content and puts its chunks and lists into the store as they become whole.
pub(super) struct Writer {
    store: Store,
    buffer: Vec<u8>,
    /// What of the buffer is cut already.
    cut: usize,
    size: u64,
    /// The entries of the unfinished list of each level; chunks first.
    levels: Vec<Vec<ListEntry>>,
}

impl Writer {
    pub(super) fn new(store: Store) -> Writer {
        Writer { store, buffer: Vec::new(), cut: 0, size: 0, levels: vec![Vec::new()] }
    }

    /// Cuts chunks off the buffer: all but the last `CHUNK_MAX` bytes, which may still change where the cut falls, or
    /// at the end everything.
    fn cut(&mut self, end: bool) -> Result<()> {
        while self.buffer.len() - self.cut >= limits::CHUNK_MAX || (end && self.buffer.len() > self.cut) {
            let length = next_cut(&self.buffer[self.cut..]);
            let chunk = &self.buffer[self.cut..self.cut + length];
            let entry = ListEntry { name: self.store.put(Kind::Chunk, chunk)?, length: length as u64 };
            self.cut += length;
            self.push(0, entry)?;
        }
        if self.cut >= SLACK {
            self.buffer.drain(..self.cut);
            self.cut = 0;
        }
        Ok(())
    }

    /// Adds an entry to the unfinished list of a level, which it may end.
    fn push(&mut self, level: usize, entry: ListEntry) -> Result<()> {
        if level == self.levels.len() {
            self.levels.push(Vec::new());
        }
        let list = &mut self.levels[level];
        list.push(entry);
        let ends = list.len() >= LIST_MIN && entry.name.0[1] & LIST_MASK == 0;
        if ends || list.len() == limits::LIST_ENTRIES { self.close(level) } else { Ok(()) }
    }

    /// Ends the unfinished list of a level.
    fn close(&mut self, level: usize) -> Result<()> {
        let entries = std::mem::take(&mut self.levels[level]);
        let number = u8::try_from(level + 1).ok().filter(|number| *number <= limits::LIST_LEVELS);
        let number = number.ok_or_else(|| Error::failed("a value too large to be kept"))?;
        let list = List::new(number, entries)?;
        let entry = ListEntry { name: self.store.put(Kind::List, &encode(&list)?)?, length: list.length() };
        self.push(level + 1, entry)
    }
}

/// The length of the first chunk of `bytes`, which are at least `CHUNK_MAX` or all there is.
fn next_cut(bytes: &[u8]) -> usize {
    let window = &bytes[..bytes.len().min(limits::CHUNK_MAX)];
    let cutter = FastCDC::new(window, limits::CHUNK_MIN, limits::CHUNK_AVERAGE, limits::CHUNK_MAX);
    cutter.cut(0, window.len()).1
}

impl ContentWriter for Writer {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        for piece in bytes.chunks(SLACK) {
            self.buffer.extend_from_slice(piece);
            self.cut(false)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<ContentRef> {
        self.cut(true)?;
        if self.size == 0 {
            return Ok(ContentRef { root: self.store.put(Kind::Chunk, &[])?, level: 0, size: 0 });
        }
        let mut level = 0;
        loop {
            let top = level + 1 == self.levels.len();
            match self.levels[level].as_slice() {
                // The root is the one entry of the topmost level, never a list of one.
                [root] if top => return Ok(ContentRef { root: root.name, level: level as u8, size: self.size }),
                [] => {}
                _ => self.close(level)?,
            }
            level += 1;
        }
    }
}

/// Reads one content, front to back. What its lists claim is checked against what is under them.
pub(super) struct Reader {
    store: Store,
    /// What is still to be read of the lists on the way to the next chunk, topmost first, with the entries' level.
    stack: Vec<(u8, vec::IntoIter<ListEntry>)>,
}

impl Reader {
    pub(super) fn new(store: Store, content: &ContentRef) -> Reader {
        let root = ListEntry { name: content.root, length: content.size };
        Reader { store, stack: vec![(content.level, vec![root].into_iter())] }
    }

    fn read(&mut self) -> Result<Option<Bytes>> {
        while let Some((level, entries)) = self.stack.last_mut() {
            let level = *level;
            let Some(entry) = entries.next() else {
                self.stack.pop();
                continue;
            };
            if level == 0 {
                let chunk = self.store.get(Kind::Chunk, &entry.name)?;
                check(chunk.len() as u64, &entry)?;
                return Ok(Some(chunk));
            }
            let list: List = decode(&self.store.get(Kind::List, &entry.name)?)?;
            check(list.length(), &entry)?;
            if list.level() != level {
                return Err(Error::failed(format!(
                    "chunk list {} has level {}, not {level}",
                    entry.name,
                    list.level()
                )));
            }
            self.stack.push((level - 1, list.entries().to_vec().into_iter()));
        }
        Ok(None)
    }
}

fn check(length: u64, entry: &ListEntry) -> Result<()> {
    if length == entry.length {
        return Ok(());
    }
    Err(Error::failed(format!(
        "a piece of content {} is {length} bytes long, not {}",
        Name::short(&entry.name),
        entry.length
    )))
}

impl Iterator for Reader {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Result<Bytes>> {
        let read = self.read();
        if read.is_err() {
            self.stack.clear();
        }
        read.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::core::content::Contents;
    use crate::store::tests::{Home, noise};

    fn write(store: &Store, bytes: &[u8], piece: usize) -> ContentRef {
        let mut writer = store.write_content();
        bytes.chunks(piece).for_each(|piece| writer.write(piece).unwrap());
        writer.finish().unwrap()
    }

    fn read(store: &Store, content: &ContentRef) -> Vec<u8> {
        store.read_content(content).flat_map(|chunk| chunk.unwrap()).collect()
    }

    fn cuts(bytes: &[u8]) -> Vec<usize> {
        let (mut cuts, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            at += next_cut(&bytes[at..]);
            cuts.push(at);
        }
        cuts
    }

    /// Changing these means a new format number: everyone's contents get new names.
    #[test]
    fn cut_points_and_names_are_frozen() {
        let bytes = noise(1, 1_500_000);
        assert_eq!(cuts(&bytes), GOLDEN_CUTS);
        let home = Home::new();
        let content = write(&home.store, &bytes, 65_536);
        assert_eq!((content.level, content.size), (1, 1_500_000));
        assert_eq!(content.root.to_string(), GOLDEN_ROOT);
        assert_eq!(cuts(&vec![0; 3_000_000]), [1 << 20, 2 << 20, 3_000_000], "no cut point in zeros");
    }

    const GOLDEN_CUTS: &[usize] =
        &[299_867, 491_952, 532_537, 684_073, 766_197, 912_712, 1_242_504, 1_385_479, 1_500_000];
    const GOLDEN_ROOT: &str = "bd5fd3388ca928e4fa955c886c1b43543a21e02f85d4abdf4527b3ac30b83797";

    #[test]
    fn an_empty_and_a_small_content_read_back() {
        let home = Home::new();
        for size in [0, 1, 2000, limits::CHUNK_MIN] {
            let content = write(&home.store, &noise(2, size), 100);
            assert_eq!((content.level, content.size), (0, size as u64));
            assert_eq!(read(&home.store, &content), noise(2, size));
        }
    }

    #[test]
    fn an_insertion_changes_few_chunks_and_lists() {
        let home = Home::new();
        let names = |content: &ContentRef| {
            let mut names = BTreeSet::new();
            let mut stack = vec![(content.level, content.root)];
            while let Some((level, name)) = stack.pop() {
                names.insert((level, name));
                if level > 0 {
                    let list: List = decode(&home.store.get(Kind::List, &name).unwrap()).unwrap();
                    stack.extend(list.entries().iter().map(|entry| (level - 1, entry.name)));
                }
            }
            names
        };
        let mut bytes = noise(3, 60 << 20);
        let before = write(&home.store, &bytes, 1 << 20);
        bytes.splice(30_000_000..30_000_000, *b"an insertion");
        let after = write(&home.store, &bytes, 1 << 20);
        let (before, after) = (names(&before), names(&after));
        assert!(after.iter().filter(|(level, _)| *level == 1).count() > 2);
        let new = after.difference(&before).count();
        assert!(new <= 6, "{new} of {} are new", after.len());
    }

    #[test]
    fn a_list_that_lies_about_lengths_or_levels_is_refused() {
        let home = Home::new();
        let chunk = home.store.put(Kind::Chunk, &noise(4, 20_000)).unwrap();
        let put = |level, length| {
            let list = List::new(level, vec![ListEntry { name: chunk, length }]).unwrap();
            home.store.put(Kind::List, &encode(&list).unwrap()).unwrap()
        };
        for (root, level, size) in
            [(put(1, 20_001), 1, 20_001), (put(1, 20_000), 1, 5), (put(2, 20_000), 1, 20_000), (chunk, 0, 1)]
        {
            let read: Vec<_> = home.store.read_content(&ContentRef { root, level, size }).collect();
            assert!(read.len() == 1 && read[0].is_err(), "{level} {size}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn the_same_bytes_have_the_same_name_in_any_pieces(
            seed in any::<u64>(), size in 0usize..6_000_000, piece in 1usize..3_000_000,
        ) {
            let home = Home::new();
            let bytes = noise(seed, size);
            let content = write(&home.store, &bytes, piece.max(size / 1000));
            prop_assert_eq!(content, write(&home.store, &bytes, 1 << 20));
            prop_assert_eq!(read(&home.store, &content), bytes);
        }
    }
}
