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
