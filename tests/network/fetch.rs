//! Versions travel between homes: everything, nothing twice, from whoever has it, and to members alone.

use std::time::Duration;

use peapod::app::events::Events;
use peapod::app::fetch::Report;
use peapod::core::name::Name;
use peapod::error::Kind;

use crate::homes::{Member, State, founder, join};
use crate::support::{QUIC, TCP, noise, until};

const PATIENCE: Duration = Duration::from_secs(10);

async fn fetch(member: &Member, version: &Name) -> peapod::Result<Report> {
    member.node().fetch(version, false, PATIENCE, &Events::nowhere()).await
}

/// `count` bodies of `size` bytes that no chunk is shared between.
fn bodies(seed: u8, count: usize, size: usize) -> State {
    let all = noise(seed, count * size);
    all.chunks(size).enumerate().map(|(number, body)| (format!("{seed}/{number:05}"), body.to_vec())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_version_reaches_a_teammate_whole() {
    for transport in [TCP, QUIC] {
        let alice = founder(transport).await;
        let bob = join(&alice, "bob", transport).await;
        let state: State = bodies(1, 5, 3_000_000).into_iter().chain(bodies(2, 500, 700)).collect();
        let version = alice.commit(vec![], &state);
        alice.push(version);
        until("the head arrives", || bob.sees(&alice) == Some(version)).await;
        let report = fetch(&bob, &version).await.unwrap();
        assert!(report.bytes > 15_000_000 && report.bytes < 17_000_000, "{report:?}");
        assert!(bob.state(&version) == state);
        assert_eq!(fetch(&bob, &version).await.unwrap(), Report::default());
        assert_eq!(alice.node().holders(&version).await.unwrap(), [bob.app.secret.author()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_travels() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await;
    let mut state = bodies(1, 20_000, 400);
    let first = alice.commit(vec![], &state);
    alice.push(first);
    let whole = fetch(&bob, &first).await.unwrap();
    for (name, body) in state.iter_mut().step_by(2000) {
        *body = name.repeat(50).into_bytes();
    }
    let second = alice.commit(vec![first], &state);
    alice.push(second);
    let change = fetch(&bob, &second).await.unwrap();
    assert!(bob.state(&second) == state);
    assert!(change.bytes * 20 < whole.bytes, "{change:?} of {whole:?}");
    assert!(change.objects < 40, "{change:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_teammate_gets_it_when_its_author_is_gone() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await;
    let carol = join(&alice, "carol", TCP).await;
    let state = bodies(1, 50, 100_000);
    let version = alice.commit(vec![], &state);
    alice.push(version);
    fetch(&bob, &version).await.unwrap();
    until("the head arrives", || carol.sees(&alice) == Some(version)).await;
    let bob_listens = bob.node().net().listening();
    carol.node().net().connect(&bob.app.secret.author(), &bob_listens, PATIENCE).await.unwrap();
    let alice = alice.down().await;
    fetch(&carol, &version).await.unwrap();
    assert!(carol.state(&version) == state);
    drop(alice);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_off_catches_up_on_connecting() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await.down().await;
    let state = bodies(1, 10, 5000);
    let version = alice.commit(vec![], &state);
    alice.push(version);
    let bob = bob.up().await;
    until("the head arrives", || bob.sees(&alice) == Some(version)).await;
    fetch(&bob, &version).await.unwrap();
    assert!(bob.state(&version) == state);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_fetch_resumes_with_only_what_is_missing() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await;
    let state = bodies(1, 60, 1_000_000);
    let version = alice.commit(vec![], &state);
    alice.push(version);
    until("the head arrives", || bob.sees(&alice) == Some(version)).await;

    let stop = tokio_util::sync::CancellationToken::new();
    let (events, mut said) = Events::channel(stop.clone());
    let breaking = tokio::spawn(async move {
        while let Some(event) = said.recv().await {
            if matches!(event, peapod::app::events::Event::Progress { done, .. } if done > 10_000_000) {
                stop.cancel();
            }
        }
    });
    let broken = bob.node().fetch(&version, false, PATIENCE, &events).await;
    drop(events);
    breaking.await.unwrap();
    assert!(broken.is_err(), "the fetch was too quick to break off");

    let bob = bob.down().await.up().await;
    let rest = fetch(&bob, &version).await.unwrap();
    assert!(rest.bytes < 55_000_000, "{rest:?}");
    assert!(bob.state(&version) == state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_fetch_brings_the_records_and_no_contents() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await;
    let version = alice.commit(vec![], &bodies(1, 20, 200_000));
    alice.push(version);
    let report = bob.node().fetch(&version, true, PATIENCE, &Events::nowhere()).await.unwrap();
    assert!(report.bytes < 40_000, "{report:?}");
    assert!(bob.node().holders(&version).await.unwrap() == [alice.app.secret.author()]);
    assert!(alice.node().holders(&version).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_pushed_is_not_given_away() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await;
    let pushed = alice.commit(vec![], &bodies(1, 10, 50_000));
    let private = alice.commit(vec![], &bodies(2, 10, 50_000));
    alice.push(pushed);
    fetch(&bob, &pushed).await.unwrap();
    let refused = bob.node().fetch(&private, false, Duration::from_secs(1), &Events::nowhere()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(refused.hint_text().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_cannot_fetch() {
    let alice = founder(TCP).await;
    let bob = join(&alice, "bob", TCP).await;
    let version = alice.commit(vec![], &bodies(1, 10, 50_000));
    alice.push(version);
    let remove = peapod::app::team::TeamRemove { member: "bob".into() };
    let cx = peapod::app::Context::without_instance().unwrap();
    peapod::app::team::remove(&alice.app, &cx, remove, &Events::nowhere()).await.unwrap();
    until("bob is dropped", || bob.node().net().members().is_empty()).await;
    let refused = bob.node().fetch(&version, false, Duration::from_secs(2), &Events::nowhere()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
}
