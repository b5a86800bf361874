//! The node's coming and going.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Place, Ran, until};

/// Nodes of tests keep to the loopback.
pub(crate) const QUIET: [&str; 3] = ["--no-mdns", "--listen", "127.0.0.1:0"];

fn up(place: &Place) -> Ran {
    place.run(&[&["up", "--detach", "--json"][..], &QUIET].concat())
}

fn signal(pid: u64, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Takes the node down when the test ends, however it ends.
pub(crate) struct Down<'a>(pub(crate) &'a Place);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        self.0.run(&["down"]);
    }
}

#[test]
fn a_detached_node_comes_up_serves_commands_and_goes_down() {
    let place = Place::new();
    let _down = Down(&place);
    let ran = up(&place);
    assert_eq!(ran.code(), 0, "{ran:?}");
    let pid = ran.json()["pid"].as_u64().unwrap();
    assert!(ran.json()["running"].as_bool().unwrap() && !ran.json()["listen"].as_array().unwrap().is_empty());

    let status = place.run(&["status", "--json"]).json();
    assert_eq!(status["pid"].as_u64(), Some(pid), "the node answers, not the command");
    assert_eq!(place.run(&["peers", "--json"]).json()["peers"].as_array().map(Vec::len), Some(0));

    let lists: Vec<_> = (0..6).map(|_| place.spawn(&["list", "--json"])).collect();
    assert!(lists.into_iter().all(|list| list.wait().code() == 0), "many commands at once");

    // A second one is the first one.
    assert_eq!(up(&place).json()["pid"].as_u64(), Some(pid));
    // One that is asked for something else says that it is not so.
    for more in [&["--listen", "127.0.0.1:1"][..], &["--peer", "127.0.0.1:1"]] {
        let ran = place.run(&[&["up", "--detach", "--json"][..], &QUIET, more].concat());
        assert_eq!(ran.code(), 1, "{ran:?}");
        let message = format!("without {}", more.join(" "));
        assert!(ran.json()["error"]["message"].as_str().unwrap().contains(&message), "{ran:?}");
    }
    assert_eq!(place.run(&["up", "--detach"]).code(), 0, "it asks for nothing that is ignored");
    let foreground = place.run(&[&["up", "--json"][..], &QUIET].concat());
    assert_eq!(foreground.code(), 1, "{foreground:?}");

    let down = place.run(&["down", "--json"]);
    assert_eq!((down.code(), down.json()["stopped"].as_bool()), (0, Some(true)));
    let status = place.run(&["status", "--json"]).json();
    assert_eq!(status["running"].as_bool(), Some(false));
    assert!(fs::metadata(place.home().join("node.log")).unwrap().len() > 0);
    let again = place.run(&["down", "--json"]);
    assert_eq!((again.code(), again.json()["stopped"].as_bool()), (0, Some(false)));
}

#[test]
fn a_node_that_is_told_no_address_keeps_its_ports() {
    let place = Place::new();
    let ports = || {
        let _down = Down(&place);
        let ran = place.run(&["up", "--detach", "--no-mdns", "--json"]);
        let listen = ran.json()["listen"].as_array().unwrap().clone();
        let on_loopback =
            listen.iter().filter_map(|address| address.as_str()).filter(|text| text.contains("127.0.0.1"));
        let mut ports: Vec<String> = on_loopback.map(str::to_owned).collect();
        ports.sort();
        ports
    };
    let first = ports();
    assert_eq!(first.len(), 2, "TCP and QUIC: {first:?}");
    for _ in 0..3 {
        assert_eq!(ports(), first);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_without_a_node_listens_where_up_was_told_to_and_nowhere_else() {
    let place = Place::new();
    place.pod("p", ["a"]);
    assert_eq!(place.run(&["team", "create", "friends"]).code(), 0);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    assert_eq!(place.run(&["up", "--detach", "--no-mdns", "--listen", &listen]).code(), 0);
    assert_eq!(place.run(&["down"]).code(), 0);

    let mut pushing = place.spawn(&["push", "p", "--no-commit", "--replicas", "1"]);
    until("the command's node", || std::net::TcpStream::connect(&listen).is_ok());
    let own = inodes(pushing.id());
    let open: Vec<String> = ["tcp", "tcp6", "udp", "udp6"].into_iter().flat_map(|kind| bound(kind, &own)).collect();
    assert_eq!(open, [format!("0100007F:{port:04X}")]);
    assert!(pushing.is_running());
}

/// The sockets that a process has open.
#[cfg(target_os = "linux")]
fn inodes(pid: u32) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = links.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_str()?.to_owned()));
    links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

/// Where those of them listen or are bound that are of this kind and connected to nobody, in the kernel's notation.
#[cfg(target_os = "linux")]
fn bound(kind: &str, sockets: &[String]) -> Vec<String> {
    let table = fs::read_to_string(format!("/proc/net/{kind}")).unwrap();
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = lines.filter(|fields| sockets.iter().any(|socket| socket == fields[9]) && fields[2].ends_with(":0000"));
    own.map(|fields| fields[1].to_owned()).collect()
}

#[test]
fn a_node_in_the_foreground_ends_cleanly_on_a_signal() {
    for end in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        let running = place.spawn(&[&["up"][..], &QUIET].concat());
        until("the node", || place.run(&["status", "--json"]).json()["running"] == true);
        signal(running.id().into(), end);
        let ran = running.wait();
        assert_eq!(ran.code(), 0, "{ran:?}");
        assert!(ran.out().contains("is up"), "{ran:?}");
        assert!(!place.home().join("control.sock").exists());
    }
}

#[test]
fn a_node_killed_at_once_leaves_a_home_that_comes_up_again() {
    let place = Place::new();
    let _down = Down(&place);
    for _ in 0..2 {
        let pid = up(&place).json()["pid"].as_u64().unwrap();
        signal(pid, Signal::KILL);
        until("the end of the process", || {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        });
        assert!(place.home().join("control.sock").exists(), "it had no time to clean up");
        // The first thread's end is not yet the last one's, which has the socket.
        until("it is gone", || place.run(&["status", "--json"]).json()["running"] == false);
    }
    assert_eq!(up(&place).code(), 0);
}

#[test]
fn a_home_with_a_long_path_has_its_socket_elsewhere() {
    let place = Place::new();
    let home = place.home().join("a-long-name-".repeat(12));
    let home = home.to_str().unwrap();
    let ran = place.run(&[&["up", "--detach", "--json", "--home", home][..], &QUIET].concat());
    let status = place.run(&["status", "--json", "--home", home]);
    let down = place.run(&["down", "--home", home]);
    assert_eq!((ran.code(), down.code()), (0, 0), "{ran:?} {down:?}");
    assert_eq!(status.json()["pid"], ran.json()["pid"]);
}

#[test]
fn a_node_that_can_not_start_says_why_in_the_command_that_asked() {
    let place = Place::new();
    let ran = place.run(&["up", "--detach", "--json", "--no-mdns", "--listen", "nowhere"]);
    assert_eq!(ran.code(), 2);
    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("did not start") && message.contains("nowhere"), "{message}");
}
