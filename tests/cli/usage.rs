//! What is asked for, and what comes back.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::Place;
use crate::common::emulators::{Emulator, Make};
use crate::node::{Down, QUIET};

const COMMANDS: [&str; 22] = [
    "commit", "inject", "push", "pull", "fetch", "inspect", "list", "log", "show", "blame", "diff", "merge", "undo",
    "delete", "gc", "fsck", "team", "up", "down", "status", "peers", "instance",
];

#[test]
fn help_names_every_command_and_every_command_has_help() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!(help.code(), 0);
    for command in COMMANDS.into_iter().chain(["completions"]) {
        assert!(help.out().contains(&format!("  {command} ")), "{command}");
        let help = place.run(&[command, "--help"]);
        assert!(help.code() == 0 && help.out().contains("Usage: peapod"), "{command}");
    }
    for (ask, answer) in [(&["help"][..], "Usage: peapod"), (&["help", "commit"], "Usage: peapod commit")] {
        let help = place.run(ask);
        assert!(help.code() == 0 && help.out().contains(answer), "{help:?}");
    }
    assert!(!place.home().exists(), "help needs no home");
}

#[test]
fn nothing_asked_gets_the_help_and_exit_code_2() {
    let ran = Place::new().run(&[]);
    assert_eq!(ran.code(), 2);
    assert!(ran.out().is_empty() && ran.err().contains("Usage: peapod"));
}

#[test]
fn a_usage_error_exits_2_and_is_a_document_where_one_is_asked_for() {
    let place = Place::new();
    for arguments in [
        &["frobnicate"][..],
        &["commit"],
        &["commit", "p", "--name", "p"],
        &["commit", "p@3"],
        &["inject", "p", "--strategy", "wild"],
        &["inject", "p", "--wait", "soon"],
        &["push", "p", "--no-commit", "-m", "x"],
        &["push", "p", "--no-commit", "--service", "s3"],
        &["pull", "p", "--no-inject", "--only", "*"],
        &["inspect", "p@"],
        &["inspect", "p@~x"],
        &["inspect", "p", "--only", "[a"],
        &["commit", "p", "--except", "{a"],
        &["commit", "p", "--account", "12"],
        &["blame", "no-address"],
        &["diff"],
        &["diff", "p@1", "p@2", "--instance"],
        &["merge", "p", "@1"],
        &["team", "role", "anna", "queen"],
        &["list", "-q", "-v"],
    ] {
        let text = place.run(arguments);
        assert_eq!(text.code(), 2, "{arguments:?}: {text:?}");
        assert!(text.out().is_empty() && text.err().starts_with("error: "), "{arguments:?}: {text:?}");
        let json = place.run(&[arguments, &["--json"]].concat());
        assert_eq!(json.code(), 2, "{arguments:?}");
        assert_eq!(json.json()["error"]["kind"], "usage", "{arguments:?}");
        assert!(json.json()["error"]["message"].is_string() && json.json()["error"].get("hint").is_some());
    }
}

#[test]
fn a_misspelt_service_is_a_usage_error_that_names_those_there_are() {
    let place = Place::new();
    let version = place.pod("p", ["a"]);
    for arguments in [
        &["commit", "p"][..],
        &["push", "p"],
        &["inject", "p"],
        &["pull", "p"],
        &["diff", "p", "--instance", "http://127.0.0.1:1"],
        &["diff", "p"],
        &["inspect", "p"],
    ] {
        let ran = place.run(&[arguments, &["--service", "ssm,s33", "--json"]].concat());
        assert_eq!(ran.code(), 2, "{arguments:?}: {ran:?}");
        let error = &ran.json()["error"];
        assert!(error["message"].as_str().unwrap().contains("s33"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("s3, iam"), "{error}");
    }
    let ran = place.run(&["inspect", "p", "--service", "ssm,s3", "--json"]);
    assert_eq!((ran.code(), ran.json()["records"].as_array().map(Vec::len)), (0, Some(1)), "{version:?} {ran:?}");
}

#[test]
fn a_web_server_is_no_emulator_and_its_page_stays_where_it_is() {
    for status in ["200 OK", "404 Not Found", "405 Method Not Allowed", "501 Unsupported method"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let page = "<!doctype html>\n<html><body><p>It works!<br>Really.</body></html>";
                    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", page.len());
                    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(format!("{head}{page}").as_bytes());
                    }
                });
            }
        });
        let ran = Place::new().run(&["commit", "p", "--instance", &url]);
        assert_eq!(ran.code(), 4, "{status}: {ran:?}");
        assert!(ran.err().contains(&format!("error: what answers at {url} is not an AWS emulator\n")), "{ran:?}");
        assert!(!ran.err().contains('<'), "{ran:?}");
    }
}

#[test]
fn a_profile_that_is_there_is_used_and_one_that_gives_no_keys_is_told() {
    let place = Place::new();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("credentials");
    let text = "[keys]\naws_access_key_id = a\naws_secret_access_key = b\n\
                [machine]\nrole_arn = arn:aws:iam::000000000000:role/r\ncredential_source = Ec2InstanceMetadata\n";
    std::fs::write(&file, text).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (profile, code) in [("keys", 4), ("machine", 2), ("missing", 2)] {
        let mut command = place.command(&["commit", "p", "--json", "--instance", &format!("http://127.0.0.1:{port}")]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"] {
            command.env_remove(name);
        }
        let ran = command.env("AWS_SHARED_CREDENTIALS_FILE", &file).env("AWS_PROFILE", profile).output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{profile}: {ran:?}");
        assert!(serde_json::from_slice::<serde_json::Value>(&ran.stdout).unwrap()["error"].is_object());
    }
}

#[test]
fn a_pods_name_is_never_a_path() {
    let place = Place::new();
    for name in ["../p", "/etc/passwd", "a/b", "..", ".hidden", "a b", "", "a\u{202e}b", "x\n", &"n".repeat(101)] {
        for command in ["commit", "inject", "show", "delete", "fetch", "log", "push"] {
            let ran = place.run(&[command, "--json", "--name", name]);
            assert_eq!(ran.code(), 2, "{command} {name:?}: {ran:?}");
            assert_eq!(ran.json()["error"]["kind"], "usage");
        }
    }
    // Refused before anything is looked at.
    assert!(!place.home().exists());
}

#[test]
fn an_unknown_pod_or_version_exits_4() {
    let place = Place::new();
    for arguments in [
        &["show", "p"][..],
        &["show", "p@3"],
        &["show", "p@1f9c"],
        &["show", "p@anna"],
        &["show", "p@~1"],
        &["log", "p"],
        &["inspect", "p"],
        &["diff", "p"],
        &["diff", "p@1", "@2"],
        &["merge", "p", "@1", "@2"],
        &["delete", "p"],
        &["blame", "self/us-east-1/s3/bucket/b", "p"],
    ] {
        let ran = place.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code(), 4, "{arguments:?}: {ran:?}");
        assert_eq!(ran.json()["error"]["kind"], "not-found", "{arguments:?}");
    }
}

#[test]
fn what_needs_a_team_says_so_without_one() {
    let place = Place::new();
    for arguments in [&["push", "p", "--no-commit"][..], &["push", "p"], &["team", "members"], &["team", "invite"]] {
        let ran = place.run(&[arguments, &["--json"]].concat());
        assert_eq!((ran.code(), ran.json()["error"]["kind"].as_str()), (5, Some("denied")), "{arguments:?}: {ran:?}");
        assert!(ran.json()["error"]["hint"].as_str().unwrap().contains("peapod team create"), "{ran:?}");
    }
}

#[test]
fn the_name_option_works_wherever_a_name_does() {
    let place = Place::new();
    for command in ["inject", "pull", "fetch", "inspect", "log", "show", "diff", "delete", "commit", "push"] {
        let ran = place.run(&[command, "--name", "p", "--help"]);
        assert_eq!(ran.code(), 0, "{command}");
    }
    assert_eq!(place.run(&["show", "--name", "p"]).code(), 4);
    assert_eq!(place.run(&["merge", "--name", "p", "@1", "@2"]).code(), 4);
}

#[test]
fn no_instance_listening_exits_4_and_says_where() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    for arguments in [&["commit", "p"][..], &["instance", "status"], &["instance", "reset"]] {
        let ran = place.run(&[arguments, &["--json", "--instance", &url]].concat());
        assert_eq!(ran.code(), 4, "{arguments:?}: {ran:?}");
        assert!(ran.json()["error"]["message"].as_str().unwrap().contains(&port.to_string()), "{ran:?}");
    }
    let ran = place.command(&["commit", "p", "--json"]).env("PEAPOD_INSTANCE", &url).output().unwrap();
    assert_eq!(ran.status.code(), Some(4));
    let ran = place.command(&["commit", "p", "--json"]).env("AWS_ENDPOINT_URL", &url).output().unwrap();
    assert_eq!(ran.status.code(), Some(4));
}

#[test]
fn what_is_far_away_or_real_is_refused() {
    let place = Place::new();
    for arguments in [
        &["commit", "p", "--instance", "http://192.0.2.1:4566"][..],
        &["commit", "p", "--instance", "https://s3.us-east-1.amazonaws.com"],
        &["commit", "p", "--instance", "https://s3.us-east-1.amazonaws.com", "--allow-remote"],
    ] {
        let ran = place.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code(), 5, "{arguments:?}: {ran:?}");
        assert_eq!(ran.json()["error"]["kind"], "denied");
    }
    let ran = place.run(&["commit", "p", "--json", "--instance", "not a url"]);
    assert_eq!(ran.code(), 2, "{ran:?}");
}

#[test]
fn lists_are_empty_documents_at_first() {
    let place = Place::new();
    let list = place.run(&["list", "--json"]);
    assert_eq!((list.code(), list.json()["pods"].as_array().map(Vec::len)), (0, Some(0)), "{list:?}");
    let status = place.run(&["status", "--json"]).json();
    assert_eq!((status["running"].as_bool(), status["pods"].as_u64()), (Some(false), Some(0)));
    assert!(status["node"].is_string() && status["listen"].is_array() && status["team"].is_null());
    let lines = place.run(&["status", "--json-lines"]);
    let last = lines.out().lines().last().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&last).unwrap()["node"], status["node"]);
}

#[test]
fn every_shell_gets_completions() {
    let place = Place::new();
    for (shell, mark) in [("bash", "complete -F"), ("zsh", "#compdef peapod"), ("fish", "complete -c peapod")] {
        let ran = place.run(&["completions", shell]);
        assert!(ran.code() == 0 && ran.out().contains(mark), "{shell}");
    }
    assert_eq!(place.run(&["completions", "tcsh"]).code(), 2);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    for arguments in [&["completions", "bash"][..], &["status"], &["status", "--json"]] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("peapod"));
        command.env("PEAPOD_HOME", place.home()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
        assert!(ended.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

#[test]
fn a_pipe_gets_no_colours_and_odd_log_directives_are_told() {
    let place = Place::new();
    assert!(!place.run(&["status"]).out().contains('\x1b'));
    let ran = place.command(&["status", "--json"]).env("PEAPOD_LOG", "peapod=loud").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
}

#[test]
fn an_instance_without_a_scheme_is_http_and_an_absent_one_is_told_without_inner_paths() {
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = place.run(&["commit", "p", "--instance", &format!("localhost:{port}")]);
    assert_eq!(ran.code(), 4, "{ran:?}");
    assert!(ran.err().contains(&format!("no instance at http://localhost:{port}")), "{ran:?}");
    let inner = ["GET", "/_", "health", "moto-api"];
    assert!(!inner.iter().any(|word| ran.err().contains(word)), "{ran:?}");
}

#[test]
fn words_in_the_wrong_order_and_homes_that_can_not_be_are_told() {
    let place = Place::new();
    let ran = place.run(&["blame", "p", "self/us-east-1/s3/bucket/b", "--json"]);
    assert_eq!((ran.code(), ran.json()["error"]["message"].as_str()), (2, Some("the address comes first")), "{ran:?}");
    std::fs::write(place.home(), "").unwrap();
    let ran = place.run(&["list", "--json"]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.json()["error"]["hint"].as_str().is_some_and(|hint| hint.contains("--home DIR")), "{ran:?}");
}

#[test]
fn a_selection_that_matches_nothing_and_a_message_without_a_commit_are_told() {
    let Some(emulator) = Emulator::start(Make::Ministack) else { return };
    let place = Place::new();
    place.pod("p", ["a"]);
    assert_eq!(place.run(&["team", "create", "friends"]).code(), 0);
    let _down = Down(&place);
    assert_eq!(place.run(&[&["up", "--detach"][..], &QUIET].concat()).code(), 0);
    let run = |arguments: &[&str]| {
        let ran = place.run(&[arguments, &["--instance", &emulator.url]].concat());
        assert_eq!(ran.code(), 0, "{arguments:?}: {ran:?}");
        ran.err()
    };
    let nothing = "matches no record, neither in the pod nor in the instance";
    for command in ["inject", "pull", "commit"] {
        let said = run(&[command, "p", "--only", "*/bucket/typo*"]);
        assert!(said.contains(&format!("--only '*/bucket/typo*' {nothing}")), "{command}: {said}");
        // In the pod, though not in the instance.
        let said = run(&[command, "p", "--service", "ssm", "--json"]);
        assert!(!said.contains(nothing), "{command}: {said}");
    }
    assert!(run(&["push", "p", "-m", "news"]).contains("there was nothing to commit, so the message is not used"));
    assert!(!run(&["push", "p"]).contains("nothing to commit"));
}
