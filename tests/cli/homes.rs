//! Homes that are not as they should be, and homes that two want at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use peapod::app::App;

use crate::{Place, until};

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_home_is_made_private() {
    let place = Place::new();
    assert_eq!(place.run(&["status"]).code(), 0);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.home()), 0o700);
    assert_eq!(mode(&place.home().join("key")), 0o600);
    // The key is the node's identity: it stays.
    assert_eq!(place.run(&["status", "--json"]).json()["node"], place.run(&["status", "--json"]).json()["node"]);
}

#[test]
fn a_home_or_key_that_others_can_read_is_refused_with_what_to_do() {
    let place = Place::new();
    place.run(&["status"]);
    chmod(&place.home().join("key"), 0o640);
    let ran = place.run(&["status", "--json"]);
    assert_eq!((ran.code(), ran.json()["error"]["kind"].as_str()), (5, Some("denied")));
    assert!(ran.json()["error"]["hint"].as_str().unwrap().contains("chmod 600"));
    chmod(&place.home().join("key"), 0o600);
    chmod(&place.home(), 0o755);
    let ran = place.run(&["status", "--json"]);
    assert_eq!(ran.code(), 5);
    assert!(ran.json()["error"]["hint"].as_str().unwrap().contains("chmod 700"));
    chmod(&place.home(), 0o700);
    assert_eq!(place.run(&["status"]).code(), 0);
}

#[test]
fn an_empty_directory_is_made_private_and_one_with_something_in_it_is_refused() {
    let place = Place::new();
    fs::create_dir(place.home()).unwrap();
    chmod(&place.home(), 0o755);
    fs::write(place.home().join("something"), "").unwrap();
    let ran = place.run(&["status", "--json"]);
    assert_eq!(ran.code(), 5, "{ran:?}");
    let way_out = format!("chmod 700 {}", place.home().canonicalize().unwrap().display());
    assert!(ran.json()["error"]["hint"].as_str().unwrap().contains(&way_out), "{ran:?}");
    fs::remove_file(place.home().join("something")).unwrap();
    let ran = place.run(&["status", "--json"]);
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert_eq!(fs::metadata(place.home()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn without_a_user_name_in_the_environment_the_systems_is_a_members_name() {
    let user = std::process::Command::new("id").args(["-u", "-n"]).output().unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let place = Place::new();
    let ran = place.command(&["team", "create", "friends", "--json"]).env_remove("USER").env_remove("LOGNAME").output();
    let team: serde_json::Value = serde_json::from_slice(&ran.unwrap().stdout).unwrap();
    assert_eq!(team["members"][0]["member"], user.trim(), "{team}");
}

#[test]
fn a_home_that_is_no_directory_or_can_not_be_made_is_an_error() {
    let place = Place::new();
    fs::write(place.home(), "a file").unwrap();
    let ran = place.run(&["status", "--json"]);
    assert_eq!((ran.code(), ran.json()["error"]["kind"].as_str()), (1, Some("failed")));
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("home"));
    let ran = place.run(&["status", "--json", "--home", "/proc/no/such/home"]);
    assert_eq!(ran.code(), 1, "{ran:?}");
}

#[test]
fn a_damaged_key_is_named_and_never_replaced() {
    let place = Place::new();
    place.run(&["status"]);
    let key = place.home().join("key");
    fs::write(&key, "garbage").unwrap();
    let ran = place.run(&["status", "--json"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("damaged"), "{ran:?}");
    assert_eq!(fs::read_to_string(&key).unwrap(), "garbage");
}

#[test]
fn many_commands_at_once_on_one_home_all_succeed() {
    let place = Place::new();
    let runs: Vec<_> = (0..6).map(|_| place.spawn(&["status", "--json"])).collect();
    let nodes: Vec<_> = runs
        .into_iter()
        .map(|run| {
            let ran = run.wait();
            assert_eq!(ran.code(), 0, "{ran:?}");
            ran.json()["node"].clone()
        })
        .collect();
    assert!(nodes.windows(2).all(|pair| pair[0] == pair[1]), "{nodes:?}");
}

#[test]
fn a_command_waits_for_another_and_says_so() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let app = runtime.block_on(App::open(&place.home(), Duration::ZERO)).unwrap();
    let mut waiting = place.spawn(&["status", "--json"]);
    std::thread::sleep(Duration::from_millis(2500));
    assert!(waiting.is_running());
    drop(app);
    let ran = waiting.wait();
    assert_eq!(ran.code(), 0, "{ran:?}");
    assert!(ran.err().contains("waiting for another peapod command"), "{ran:?}");
}

#[test]
fn ctrl_c_ends_a_waiting_command() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _app = runtime.block_on(App::open(&place.home(), Duration::ZERO)).unwrap();
    let waiting = place.spawn(&["status", "--json"]);
    std::thread::sleep(Duration::from_millis(1500));
    let pid = rustix::process::Pid::from_raw(i32::try_from(waiting.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = waiting.wait();
    assert_eq!((ran.code(), ran.json()["error"]["message"].as_str()), (1, Some("interrupted")), "{ran:?}");
}

#[test]
fn a_command_killed_at_its_work_leaves_the_home_usable() {
    let place = Place::new();
    for delay in [0, 1, 3, 6, 10, 20, 40] {
        let running = place.spawn(&["status"]);
        std::thread::sleep(Duration::from_millis(delay));
        drop(running);
    }
    until("a command that works", || place.run(&["status"]).code() == 0);
}
