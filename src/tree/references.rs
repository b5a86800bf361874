//! What stored objects refer to: the edges along which fetch, gc and fsck walk.

use crate::core::codec;
use crate::core::content::{ContentRef, List};
use crate::core::name::{Kind, Name};
use crate::core::record::Record;
use crate::core::version::Version;
use crate::error::Result;
use crate::tree::leaf::Leaf;
use crate::tree::node::Node;

/// What the object in `bytes` refers to directly: children, spilled records, contents; parents and root of a version.
///
/// Fails on bytes that are no valid object of that kind, as far as they show by themselves.
pub fn references(kind: Kind, bytes: &[u8]) -> Result<Vec<(Kind, Name)>> {
    match kind {
        Kind::Chunk => Ok(Vec::new()),
        Kind::List => {
            let list: List = codec::decode(bytes)?;
            let below = if list.level() == 1 { Kind::Chunk } else { Kind::List };
            Ok(list.entries().iter().map(|entry| (below, entry.name)).collect())
        }
        Kind::Record => Ok(codec::decode::<Record>(bytes)?.content().map(of_content).into_iter().collect()),
        Kind::Node => of_node(&Node::decode(bytes)?),
        Kind::Version => {
            let Version { parents, root, .. } = Version::from_bytes(bytes)?;
            let parents = parents.into_iter().map(|parent| (Kind::Version, parent));
            Ok(parents.chain([(Kind::Node, root)]).collect())
        }
    }
}

fn of_content(content: &ContentRef) -> (Kind, Name) {
    (if content.level == 0 { Kind::Chunk } else { Kind::List }, content.root)
}

fn of_node(node: &Node) -> Result<Vec<(Kind, Name)>> {
    let items = match node {
        Node::Inner(_, links) => return Ok(links.iter().map(|link| (Kind::Node, link.name)).collect()),
        Node::Leaf(items) => items,
    };
    let mut names = Vec::new();
    for item in items {
        match &item.leaf {
            Leaf::Spilled { name, .. } => names.push((Kind::Record, *name)),
            // A record that has content which its leaf keeps silent about is refused when it is read.
            Leaf::Inline { content: None, .. } => {}
            Leaf::Inline { bytes, .. } => names.extend(codec::decode::<Record>(bytes)?.content().map(of_content)),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::content::ListEntry;
    use crate::core::identity::Secret;
    use crate::core::objects::Objects;
    use crate::core::objects::memory::Memory;
    use crate::core::version::{Authorship, Stats};
    use crate::limits;
    use crate::tree::testing::{root_of, state};

    #[test]
    fn walking_from_a_version_reaches_all_it_stands_for() {
        let objects = Memory::default();
        let secret = Secret::from_seed(&[1; 32]);
        let state = state(&(0..300).map(|number| (number, number as u8)).collect());
        let mut parents = Vec::new();
        for root in [root_of(&objects, &Default::default()), root_of(&objects, &state)] {
            let version = Version {
                pod: "p".into(),
                parents: parents.clone(),
                root,
                authorship: Some(Authorship { author: secret.author(), created: 1 }),
                message: String::new(),
                source: None,
                stats: Stats::default(),
                skipped: vec![],
            };
            parents = vec![version.write(&objects, &secret).unwrap()];
        }
        let mut reached = BTreeSet::new();
        let mut contents = BTreeSet::new();
        let mut open = vec![(Kind::Version, parents[0])];
        while let Some((kind, name)) = open.pop() {
            if matches!(kind, Kind::Chunk | Kind::List) {
                contents.insert((kind, name));
            } else if reached.insert(name) {
                open.extend(references(kind, &objects.get(kind, &name).unwrap()).unwrap());
            }
        }
        assert_eq!(reached, objects.objects.lock().unwrap().keys().copied().collect());
        let expected = state.values().filter_map(|(_, record)| record.content()).map(of_content);
        assert_eq!(contents, expected.collect());
    }

    #[test]
    fn a_chunk_list_refers_to_the_level_below() {
        let entry = ListEntry { name: Name([1; 32]), length: limits::CHUNK_MIN as u64 };
        for (level, below) in [(1, Kind::Chunk), (2, Kind::List)] {
            let bytes = codec::encode(&List::new(level, vec![entry; 3]).unwrap()).unwrap();
            assert_eq!(references(Kind::List, &bytes).unwrap(), vec![(below, entry.name); 3]);
        }
        assert!(references(Kind::Chunk, b"any").unwrap().is_empty());
    }

    #[test]
    fn no_bytes_of_another_kind_are_walked() {
        for kind in [Kind::List, Kind::Record, Kind::Node, Kind::Version] {
            for bytes in [&b""[..], b"\x01", b"\x01\x01\xff\xff\xff\xff\x0f", &[0xff; 100]] {
                assert!(references(kind, bytes).is_err());
            }
        }
    }
}
