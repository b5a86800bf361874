//! A team on real sockets: homes of their own, nodes that join, gossip, catch up and are put out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peapod::app::node::{Node, Options};
use peapod::app::team::{self, TeamCreate, TeamInvite, TeamJoin, TeamMembers, TeamRemove, TeamRole, TeamSettle};
use peapod::app::{App, Context, Events};
use peapod::core::name::Name;
use peapod::core::roster::Role;
use peapod::error::Kind;

use crate::support::TCP;

/// An open home with a running node.
async fn up(directory: &Path) -> Arc<App> {
    let app = App::open(directory, Duration::from_secs(10)).await.unwrap();
    let options = Options { listen: vec![TCP.into()], ..Options::default() };
    let node = Node::start(&app.home, app.store.clone(), app.secret.clone(), app.team.clone(), options).await.unwrap();
    assert!(app.node.set(node).is_ok());
    Arc::new(app)
}

async fn down(app: Arc<App>) {
    app.node().unwrap().stop().await;
    // The network's tasks let go of the store a moment after they were told to end.
    let mut app = app;
    for _ in 0..100 {
        match Arc::try_unwrap(app) {
            Ok(_) => return,
            Err(shared) => app = shared,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the home is still in use");
}

fn context() -> Context {
    Context { user: "someone".into(), ..Context::without_instance().unwrap() }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

async fn ticket(app: &App, role: Role) -> String {
    let request = TeamInvite { role, expires: Duration::from_secs(60) };
    team::invite(app, &context(), request, &Events::nowhere()).await.unwrap().ticket
}

async fn join(app: &App, ticket: &str, name: &str) -> peapod::Result<team::TeamOutcome> {
    let timeout = Some(Duration::from_secs(10));
    let request = TeamJoin { ticket: ticket.into(), member: Some(name.into()), timeout };
    team::join(app, &context(), request, &Events::nowhere()).await
}

/// Alice's team, with a node for her and for bob, who has joined.
async fn alice_and_bob(home: &Path) -> (Arc<App>, Arc<App>) {
    let alice = up(&home.join("alice")).await;
    let create = TeamCreate { team: "acme".into(), member: Some("alice".into()) };
    team::create(&alice, &context(), create, &Events::nowhere()).await.unwrap();
    let bob = up(&home.join("bob")).await;
    join(&bob, &ticket(&alice, Role::Writer).await, "bob").await.unwrap();
    (alice, bob)
}

fn heads(app: &App) -> Vec<Name> {
    team::member_heads(app, "p").unwrap().into_iter().map(|(_, version)| version).collect()
}

fn members(app: &App) -> usize {
    app.node().unwrap().net().members().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_gossiped_and_a_node_that_was_off_catches_up() {
    let home = tempfile::tempdir().unwrap();
    let (alice, bob) = alice_and_bob(home.path()).await;
    until("they meet", || members(&alice) == 1 && members(&bob) == 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(team::sign_head(&bob, "p", &Name([1; 32])).unwrap(), 1);
    until("alice hears of it", || heads(&alice) == [Name([1; 32])]).await;

    down(bob).await;
    assert_eq!(team::sign_head(&alice, "p", &Name([2; 32])).unwrap(), 1);
    assert_eq!(team::sign_head(&alice, "p", &Name([2; 32])).unwrap(), 1);
    assert_eq!(team::sign_head(&alice, "p", &Name([3; 32])).unwrap(), 2);
    let bob = up(&home.path().join("bob")).await;
    until("bob has caught up", || heads(&bob).contains(&Name([3; 32])) && heads(&bob).contains(&Name([1; 32]))).await;
    assert_eq!(team::head_of(&bob, "p", "alice").unwrap(), Some(Name([3; 32])));
    assert_eq!(team::pods_with_heads(&bob).unwrap(), ["p"]);
    down(alice).await;
    down(bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_without_a_node_is_let_in_once_and_a_second_is_not() {
    let home = tempfile::tempdir().unwrap();
    let alice = up(&home.path().join("alice")).await;
    let create = TeamCreate { team: "acme".into(), member: None };
    let created = team::create(&alice, &context(), create, &Events::nowhere()).await.unwrap();
    assert_eq!(created.members[0].member, "someone");
    let ticket = ticket(&alice, Role::Reader).await;
    let bob = App::open(&home.path().join("bob"), Duration::from_secs(10)).await.unwrap();
    let joined = join(&bob, &ticket, "bob").await.unwrap();
    assert_eq!(joined.members.len(), 2);
    assert_eq!(join(&bob, &ticket, "bob").await.unwrap_err().kind(), Kind::Denied);
    assert_eq!(team::sign_head(&bob, "p", &Name([1; 32])).unwrap_err().kind(), Kind::Denied);

    let eve = App::open(&home.path().join("eve"), Duration::from_secs(10)).await.unwrap();
    let refused = join(&eve, &ticket, "eve").await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Denied);
    assert!(refused.message().contains("no such invite"), "{}", refused.message());
    // Not even after a restart of the inviter.
    down(alice).await;
    let alice = up(&home.path().join("alice")).await;
    let moved = peapod::core::ticket::Ticket {
        addresses: alice.node().unwrap().listening(),
        ..ticket.parse::<peapod::core::ticket::Ticket>().unwrap()
    };
    assert_eq!(join(&eve, &moved.to_text().unwrap(), "eve").await.unwrap_err().kind(), Kind::Denied);
    down(alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_dropped_and_told_nothing_more() {
    let home = tempfile::tempdir().unwrap();
    let (alice, bob) = alice_and_bob(home.path()).await;
    until("they meet", || members(&alice) == 1 && members(&bob) == 1).await;
    let role = TeamRole { member: "bob".into(), role: Role::Reader };
    team::role(&alice, &context(), role, &Events::nowhere()).await.unwrap();
    let of_bob = |app: &App| app.team.roster().and_then(|roster| roster.role(&bob.secret.author()));
    until("bob hears of his role", || of_bob(&bob) == Some(Role::Reader)).await;
    assert_eq!(team::sign_head(&bob, "p", &Name([1; 32])).unwrap_err().kind(), Kind::Denied);

    let remove = TeamRemove { member: "bob".into() };
    team::remove(&alice, &context(), remove, &Events::nowhere()).await.unwrap();
    until("bob is dropped", || members(&alice) == 0 && members(&bob) == 0).await;
    team::sign_head(&alice, "p", &Name([2; 32])).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(heads(&bob).is_empty());
    down(alice).await;
    down(bob).await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => drop(std::fs::copy(&from, &to).unwrap()),
        }
    }
}

/// Puts a copy of a home in its place, as restoring a backup does.
fn restore(backup: &Path, home: &Path) {
    std::fs::remove_dir_all(home).unwrap();
    copy(backup, home);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(home, private).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_takes_its_heads_back_or_stands_still_until_an_admin_settles_it() {
    let home = tempfile::tempdir().unwrap();
    let (alice, bob) = alice_and_bob(home.path()).await;
    until("they meet", || members(&alice) == 1 && members(&bob) == 1).await;
    down(bob).await;
    let (place, backup) = (home.path().join("bob"), home.path().join("backup"));
    copy(&place, &backup);
    let bob = up(&place).await;
    assert_eq!(team::sign_head(&bob, "p", &Name([1; 32])).unwrap(), 1);
    until("alice hears of it", || heads(&alice) == [Name([1; 32])]).await;
    down(bob).await;

    restore(&backup, &place);
    let bob = up(&place).await;
    until("it has its head back", || heads(&bob) == [Name([1; 32])]).await;
    assert_eq!(team::sign_head(&bob, "p", &Name([2; 32])).unwrap(), 2);
    until("alice hears of it", || heads(&alice) == [Name([2; 32])]).await;
    down(bob).await;

    // This time it signs before it has met anybody.
    restore(&backup, &place);
    let offline = App::open(&place, Duration::from_secs(10)).await.unwrap();
    assert_eq!(team::sign_head(&offline, "p", &Name([9; 32])).unwrap(), 1);
    drop(offline);
    let bob = up(&place).await;
    until("both see two heads with one number", || heads(&alice).is_empty() && heads(&bob).is_empty()).await;
    assert_eq!(team::sign_head(&bob, "p", &Name([3; 32])).unwrap_err().kind(), Kind::Denied);
    let shown = team::members(&alice, &context(), TeamMembers {}, &Events::nowhere()).await.unwrap();
    assert_eq!((shown.frozen[0].member.as_str(), shown.frozen[0].versions.len()), ("bob", 2));
    let head = format!("p@{}", &Name([1; 32]).to_string()[..8]).parse().unwrap();
    let settle = TeamSettle { member: "bob".into(), head };
    let settled = team::settle(&alice, &context(), settle, &Events::nowhere()).await.unwrap();
    assert!(settled.frozen.is_empty());
    until("both know the branch", || heads(&alice) == [Name([2; 32])] && heads(&bob) == [Name([2; 32])]).await;
    assert_eq!(team::sign_head(&bob, "p", &Name([3; 32])).unwrap(), 3);
    down(alice).await;
    down(bob).await;
}
