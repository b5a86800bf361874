//! Connections, questions, gossip and transfers.

use std::time::{Duration, Instant};

use libp2p::futures::future::join_all;
use peapod::error::Kind;
use peapod::limits;
use peapod::net::{GetFailure, Standing};

use crate::support::{QUIC, TCP, node, node_on_lan, noise, secret, until};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn members_exchange_fifty_megabytes_over_tcp_and_quic() {
    for transport in [TCP, QUIC] {
        let alice = node(1, &[2], &[transport], vec![]).await;
        let bob = node(2, &[1], &[transport], alice.net.listening()).await;
        until("they meet", || bob.net.members() == [alice.author()]).await;
        let packs: Vec<Vec<u8>> = (0..4).map(|seed| noise(seed, 12_500_000)).collect();
        let gets = packs.iter().map(|pack| {
            let (net, from, hash, length) = (bob.net.clone(), alice.author(), alice.serve(pack), pack.len() as u64);
            async move { net.get(&from, hash, &[0..length]).await }
        });
        for (got, pack) in join_all(gets).await.into_iter().zip(&packs) {
            assert_eq!(got.runs.len(), 1);
            assert!(got.runs[0].bytes == *pack);
            assert!(got.wire > pack.len() as u64 && got.wire < pack.len() as u64 * 102 / 100);
        }
        alice.net.stop().await;
        bob.net.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_arrive_rounded_to_a_kibibyte_and_nothing_else_does() {
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let bob = node(2, &[1], &[], alice.net.listening()).await;
    let pack = noise(1, 5_000_000);
    let hash = alice.serve(&pack);
    until("they meet", || bob.net.members() == [alice.author()]).await;
    let got = bob.net.get(&alice.author(), hash, &[10..20, 1_000_000..1_100_000, 4_999_990..5_000_000]).await;
    assert_eq!(got.end, Ok(()));
    let spans: Vec<(u64, usize)> = got.runs.iter().map(|run| (run.offset, run.bytes.len())).collect();
    assert_eq!(spans, [(0, 1024), (999_424, 101_376), (4_999_168, 832)]);
    for run in &got.runs {
        assert!(pack[run.offset as usize..].starts_with(&run.bytes));
    }
    assert!(got.wire < 115_000, "{}", got.wire);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_may_ask_small_questions_and_gets_nothing_else() {
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let pack = alice.serve(&noise(1, 100_000));
    let eve = node(66, &[1], &[], alice.net.listening()).await;
    until("they connect", || eve.net.members() == [alice.author()]).await;
    assert_eq!(eve.net.ask(&alice.author(), b"may I join?").await.unwrap(), b"may I join?");
    let long = vec![0; limits::MESSAGE_JOIN + 1];
    assert!(eve.net.ask(&alice.author(), &long).await.unwrap_err().chain().contains("over the limit"));
    assert_eq!(eve.net.get(&alice.author(), pack, &[0..100]).await.end, Err(GetFailure::Refused));
    assert!(alice.net.members().is_empty());
    assert!(alice.fake.met.lock().unwrap().is_empty());

    // Gossip passes it by, in both directions, though it follows the team's topic.
    let bob = node(2, &[1], &[], alice.net.listening()).await;
    until("they meet", || bob.net.members() == [alice.author()]).await;
    until("a member hears", || {
        let net = alice.net.clone();
        tokio::spawn(async move { net.publish(format!("news {:?}", Instant::now()).into_bytes()).await });
        !bob.fake.heard.lock().unwrap().is_empty()
    })
    .await;
    eve.net.publish(b"lies".to_vec()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(eve.fake.heard.lock().unwrap().is_empty());
    assert!(alice.fake.heard.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_is_dropped_at_once_and_stays_out() {
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let pack = alice.serve(&noise(1, 100_000));
    let bob = node(2, &[1], &[], alice.net.listening()).await;
    until("they meet", || alice.net.members() == [bob.author()]).await;
    assert!(bob.net.get(&alice.author(), pack, &[0..100]).await.end.is_ok());

    alice.fake.removed.lock().unwrap().insert(bob.author());
    alice.net.recheck().await;
    until("it is dropped", || alice.net.members().is_empty() && bob.net.members().is_empty()).await;
    assert_eq!(bob.net.get(&alice.author(), pack, &[0..100]).await.end, Err(GetFailure::Lost));
    assert!(bob.net.ask(&alice.author(), b"please").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_becomes_a_member_is_let_in() {
    let alice = node(1, &[], &[TCP], vec![]).await;
    let bob = node(2, &[], &[TCP], vec![]).await;
    bob.net.connect(&alice.author(), &alice.net.listening(), SOON).await.unwrap();
    assert!(bob.net.members().is_empty());
    alice.fake.members.lock().unwrap().insert(bob.author());
    bob.fake.members.lock().unwrap().insert(alice.author());
    alice.net.recheck().await;
    bob.net.recheck().await;
    until("both are members", || {
        alice.fake.met.lock().unwrap().contains(&bob.author()) && bob.fake.met.lock().unwrap().contains(&alice.author())
    })
    .await;
    assert_eq!(alice.net.peers()[0].standing, Standing::Member);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_refused_and_bounded() {
    let alice = node(1, &[2], &[TCP, QUIC], vec![]).await;
    let bob = node(2, &[1], &[], alice.net.listening()).await;
    until("they meet", || bob.net.members() == [alice.author()]).await;
    let ask = async |question: &[u8]| bob.net.ask(&alice.author(), question).await;
    assert_eq!(ask(b"who am I?").await.unwrap(), secret(2).author().to_string().into_bytes());
    assert_eq!(ask(&vec![7; limits::MESSAGE_SYNC]).await.unwrap().len(), limits::MESSAGE_SYNC);
    let refused = ask(b"no").await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Denied);
    assert!(refused.chain().contains("not for you"));
    assert!(ask(&vec![7; limits::MESSAGE_SYNC + 1]).await.unwrap_err().chain().contains("over the limit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_questions_is_answered_to_the_last() {
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let bob = node(2, &[1], &[], alice.net.listening()).await;
    until("they meet", || bob.net.members() == [alice.author()]).await;
    let asks = (0..200u8).map(|number| {
        let (net, to) = (bob.net.clone(), alice.author());
        async move { net.ask(&to, &[number]).await }
    });
    for (number, answer) in join_all(asks).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), [number as u8]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_is_refused_on_its_length() {
    use libp2p::futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let mut swarm =
        libp2p::SwarmBuilder::with_existing_identity(libp2p::identity::Keypair::ed25519_from_bytes([2; 32]).unwrap())
            .with_tokio()
            .with_tcp(libp2p::tcp::Config::default(), libp2p::noise::Config::new, libp2p::yamux::Config::default)
            .unwrap()
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .unwrap()
            .build();
    let mut control = swarm.behaviour().new_control();
    swarm.dial(alice.net.listening()[0].clone()).unwrap();
    let alice_peer = peapod::net::peer_of(&alice.author()).unwrap();
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    until("it connects", || !alice.net.members().is_empty()).await;
    let protocol = libp2p::StreamProtocol::new("/peapod/control/1");
    let mut stream = control.open_stream(alice_peer, protocol).await.unwrap();
    stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = vec![0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[0], 1, "refused before a byte of it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_is_found_again() {
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let address = alice.net.listening()[0].clone();
    let bob = node(2, &[1], &[], vec![address.clone()]).await;
    until("they meet", || bob.net.members() == [alice.author()]).await;
    let begun = Instant::now();
    alice.net.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "a command must not wait long for its network to stop");
    until("it is gone", || bob.net.members().is_empty()).await;
    let alice = node(1, &[2], &[&address.to_string()], vec![]).await;
    until("it is back", || bob.net.members() == [alice.author()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_missing_packs_are_told_apart_from_lost_connections() {
    let alice = node(1, &[2], &[TCP], vec![]).await;
    let bob = node(2, &[1], &[], alice.net.listening()).await;
    until("they meet", || bob.net.members() == [alice.author()]).await;
    assert_eq!(bob.net.get(&alice.author(), [9; 32], &[0..100]).await.end, Err(GetFailure::NotHeld));

    // A pack that was damaged before it was first served, and one that is damaged afterwards.
    let pack = noise(1, 1_000_000);
    let hash = alice.serve(&pack);
    let path = alice.home.path().join(hex::encode(hash));
    std::fs::write(&path, noise(2, 1_000_000)).unwrap();
    assert_eq!(bob.net.get(&alice.author(), hash, &[0..100]).await.end, Err(GetFailure::NotHeld));
    std::fs::write(&path, &pack).unwrap();
    assert!(bob.net.get(&alice.author(), hash, &[0..100]).await.end.is_ok());
    std::fs::write(&path, noise(2, 1_000_000)).unwrap();
    assert_eq!(bob.net.get(&alice.author(), hash, &[0..100]).await.end, Err(GetFailure::NotHeld));
    alice.net.stop().await;
    assert_eq!(bob.net.get(&alice.author(), hash, &[0..100]).await.end, Err(GetFailure::Lost));
}

#[tokio::test(flavor = "multi_thread")]
async fn teammates_on_one_lan_find_each_other_without_an_address() {
    let any = "/ip4/0.0.0.0/tcp/0";
    let alice = node_on_lan(1, &[2], any).await;
    let bob = node_on_lan(2, &[1], any).await;
    let eve = node_on_lan(66, &[1, 2], any).await;
    until("they meet", || bob.net.members() == [alice.author()] && alice.net.members() == [bob.author()]).await;
    assert!(!alice.net.members().contains(&eve.author()));
}
