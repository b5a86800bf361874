//! Real homes with running nodes: a store, a key, a team, a swarm.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use peapod::app::events::Events;
use peapod::app::node::{Node, Options};
use peapod::app::team::{self, TeamCreate, TeamInvite, TeamJoin};
use peapod::app::{App, Context};
use peapod::core::address::Address;
use peapod::core::content::{ContentWriter, Contents};
use peapod::core::name::{Kind, Name};
use peapod::core::record::{Body, Record};
use peapod::core::roster::Role;
use peapod::core::value::Value;
use peapod::core::version::{Authorship, Stats, Version};
use peapod::tree::{self, Entry, Leaf};

use crate::support::until;

/// A home and its running node.
pub struct Member {
    pub app: App,
    pub directory: tempfile::TempDir,
    options: Options,
}

fn options(listen: &str, peers: Vec<String>) -> Options {
    Options { listen: vec![listen.to_owned()], peers, mdns: false }
}

async fn open(directory: tempfile::TempDir, options: Options) -> Member {
    let app = App::open(&directory.path().join("home"), Duration::from_secs(10)).await.unwrap();
    let member = Member { app, directory, options };
    let node = member.start().await;
    assert!(member.app.node.set(node).is_ok());
    member
}

/// Founds a team.
pub async fn founder(listen: &str) -> Member {
    let founder = open(tempfile::tempdir().unwrap(), options(listen, vec![])).await;
    let create = TeamCreate { team: "team".into(), member: Some("alice".into()) };
    team::create(&founder.app, &cx(), create, &Events::nowhere()).await.unwrap();
    founder
}

/// Joins by an invite of `inviter`.
pub async fn join(inviter: &Member, name: &str, listen: &str) -> Member {
    let (cx, events) = (cx(), Events::nowhere());
    let invite = TeamInvite { role: Role::Writer, expires: Duration::from_secs(60) };
    let invite = team::invite(&inviter.app, &cx, invite, &events).await.unwrap();
    let member = open(tempfile::tempdir().unwrap(), options(listen, vec![])).await;
    let join = TeamJoin { ticket: invite.ticket, member: Some(name.into()), timeout: None };
    team::join(&member.app, &cx, join, &events).await.unwrap();
    until("they are connected as members", || {
        member.node().net().members().contains(&inviter.app.secret.author())
            && inviter.node().net().members().contains(&member.app.secret.author())
    })
    .await;
    member
}

fn cx() -> Context {
    Context::without_instance().unwrap()
}

impl Member {
    pub fn node(&self) -> &Arc<Node> {
        self.app.node().unwrap()
    }

    async fn start(&self) -> Arc<Node> {
        let app = &self.app;
        Node::start(&app.home, app.store.clone(), app.secret.clone(), app.team.clone(), self.options.clone())
            .await
            .unwrap()
    }

    /// Stops the node and closes the home.
    pub async fn down(self) -> Away {
        self.node().stop().await;
        let Member { app, directory, options } = self;
        drop(app);
        Away { directory, options }
    }

    /// Commits `state` as a version without an instance.
    pub fn commit(&self, parents: Vec<Name>, state: &State) -> Name {
        let store = &*self.app.store;
        let mut entries = BTreeMap::new();
        for (name, body) in state {
            let address = Address::resource("0", "r", "s3", "object", name);
            let mut record = Record::new(BTreeMap::from([("type".to_owned(), Value::text("text/plain"))]));
            record.body = Some(if body.len() > 1024 {
                let mut writer: Box<dyn ContentWriter> = store.write_content();
                writer.write(body).unwrap();
                Body::Content(writer.finish().unwrap())
            } else {
                Body::Inline(body.clone())
            });
            let leaf = Leaf::new(store, &address, &record).unwrap();
            entries.insert(address.key(), Entry { address, leaf });
        }
        let version = Version {
            pod: "pod".into(),
            parents,
            root: tree::build(store, &mut entries.into_values().map(Ok)).unwrap(),
            authorship: Some(Authorship { author: self.app.secret.author(), created: 1 }),
            message: String::new(),
            source: None,
            stats: Stats::default(),
            skipped: vec![],
        };
        let name = version.write(store, &self.app.secret).unwrap();
        store.flush().unwrap();
        name
    }

    /// Pushes a version: lets teammates read it, signs the head, which gossips it.
    pub fn push(&self, version: Name) {
        self.app.store.publish(&[(Kind::Version, version)]).unwrap();
        peapod::app::held::mark_held(&self.app.store, &[(Kind::Version, version)]).unwrap();
        team::sign_head(&self.app, "pod", &version).unwrap();
    }

    /// The version at which this node sees the head of `other`.
    pub fn sees(&self, other: &Member) -> Option<Name> {
        let heads = team::member_heads(&self.app, "pod").unwrap();
        heads.into_iter().find(|(author, _)| *author == other.app.secret.author()).map(|(_, version)| version)
    }

    /// The state at a version, read from this home's store alone.
    pub fn state(&self, version: &Name) -> State {
        let store = &*self.app.store;
        let version = Version::read(store, version).unwrap();
        let entries = tree::scan(store, &version.root, &[]).unwrap();
        let read = |entry: peapod::Result<Entry>| {
            let entry = entry.unwrap();
            let body = match entry.leaf.record(store).unwrap().body.unwrap() {
                Body::Inline(bytes) => bytes,
                Body::Withheld => panic!("nothing is withheld here"),
                Body::Content(content) => {
                    store.read_content(&content).map(|chunk| chunk.unwrap().to_vec()).collect::<Vec<_>>().concat()
                }
            };
            (entry.address.name().to_owned(), body)
        };
        entries.map(read).collect()
    }
}

/// A home whose node is down.
pub struct Away {
    directory: tempfile::TempDir,
    options: Options,
}

impl Away {
    pub async fn up(self) -> Member {
        open(self.directory, self.options).await
    }
}

/// Names and bodies.
pub type State = BTreeMap<String, Vec<u8>>;
