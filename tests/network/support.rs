//! Networks with a small backend: who is a member is a set, packs are files in a folder, questions are echoed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peapod::core::identity::{Author, Secret};
use peapod::error::{Error, Result};
use peapod::net::{Backend, Config, Multiaddr, Net, Standing, Verdict, parse_address};

/// What a node knows and has seen.
#[derive(Default)]
pub struct Fake {
    pub members: Mutex<BTreeSet<Author>>,
    pub removed: Mutex<BTreeSet<Author>>,
    pub packs: Mutex<BTreeMap<[u8; 32], PathBuf>>,
    pub heard: Mutex<Vec<(Author, Vec<u8>)>>,
    pub met: Mutex<Vec<Author>>,
}

impl Backend for Fake {
    fn standing(&self, peer: &Author) -> Standing {
        if self.removed.lock().unwrap().contains(peer) {
            Standing::Removed
        } else if self.members.lock().unwrap().contains(peer) {
            Standing::Member
        } else {
            Standing::Stranger
        }
    }

    fn answer(&self, from: &Author, question: &[u8]) -> Result<Vec<u8>> {
        match question {
            b"who am I?" => Ok(from.to_string().into_bytes()),
            b"no" => Err(Error::denied("not for you")),
            other => Ok(other.to_vec()),
        }
    }

    fn hear(&self, from: &Author, message: &[u8]) -> Verdict {
        self.heard.lock().unwrap().push((*from, message.to_vec()));
        Verdict::PassOn
    }

    fn pack(&self, hash: &[u8; 32]) -> Option<PathBuf> {
        self.packs.lock().unwrap().get(hash).cloned()
    }

    fn connected(&self, peer: Author) {
        self.met.lock().unwrap().push(peer);
    }
}

/// A running network, what is behind it and where its files are.
pub struct Node {
    pub net: Net,
    pub fake: Arc<Fake>,
    pub home: tempfile::TempDir,
}

/// The key of the node with that number.
pub fn secret(number: u8) -> Secret {
    Secret::from_seed(&[number; 32])
}

/// What a listener on loopback is written as.
pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";
pub const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Starts node `number`, which takes `members` for its team.
pub async fn node(number: u8, members: &[u8], listen: &[&str], fixed: Vec<Multiaddr>) -> Node {
    start(number, members, listen, fixed, false).await
}

/// The same, found and finding by multicast.
pub async fn node_on_lan(number: u8, members: &[u8], listen: &str) -> Node {
    start(number, members, &[listen], vec![], true).await
}

async fn start(number: u8, members: &[u8], listen: &[&str], fixed: Vec<Multiaddr>, mdns: bool) -> Node {
    let home = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::default());
    fake.members.lock().unwrap().extend(members.iter().map(|number| secret(*number).author()));
    let config = Config {
        secret: secret(number),
        listen: listen.iter().map(|address| parse_address(address).unwrap()).collect(),
        mdns,
        fixed,
        known: vec![],
        cache: home.path().join("transfer"),
        team: Some(b"team".to_vec()),
    };
    let net = Net::start(config, fake.clone()).await.unwrap();
    Node { net, fake, home }
}

impl Node {
    /// Writes a pack file of these bytes and serves it.
    pub fn serve(&self, bytes: &[u8]) -> [u8; 32] {
        let hash = *blake3::hash(bytes).as_bytes();
        let path = self.home.path().join(hex::encode(hash));
        std::fs::write(&path, bytes).unwrap();
        self.fake.packs.lock().unwrap().insert(hash, path);
        hash
    }

    pub fn author(&self) -> Author {
        self.net.me()
    }
}

/// Waits until something holds, for up to ten seconds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

/// Bytes that do not repeat.
pub fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}
