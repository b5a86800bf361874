//! The program as scripts and people meet it: arguments, exit codes, documents, homes, and the node's coming and going.
//! Few of these tests need an emulator; those pass without one and say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod asking;
mod homes;
mod instance;
mod node;
mod team;
mod usage;

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use peapod::app::App;
use peapod::app::held::mark_held;
use peapod::app::versions::set_local_head;
use peapod::core::address::Address;
use peapod::core::name::Kind;
use peapod::core::record::Record;
use peapod::core::version::{Authorship, Stats, Version};
use peapod::tree::{self, Entry, Leaf};

/// A directory that a test has to itself, with a home in it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> std::path::PathBuf {
        self.directory.path().join("home")
    }

    /// The program with this home, and nothing of the developer's own environment that changes what it does.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("peapod"));
        clean(&mut command, &self.home());
        command.args(arguments).timeout(Duration::from_secs(60));
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().unwrap())
    }

    /// Runs it on a terminal on which `answer` is typed: its exit code, and what stands on the screen at the end.
    pub(crate) fn on_a_terminal(&self, arguments: &[&str], answer: &str) -> (i32, String) {
        let program = assert_cmd::cargo::cargo_bin!("peapod").to_str().unwrap();
        let line = quoted(&[&[program][..], arguments].concat());
        let mut command = Command::new("script");
        clean(&mut command, &self.home());
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).write_stdin(answer);
        let output = command.timeout(Duration::from_secs(60)).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Gives the home a pod whose versions each hold one parameter, with this value. Returns the versions' names.
    pub(crate) fn pod<const N: usize>(&self, pod: &str, values: [&str; N]) -> [String; N] {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let app = runtime.block_on(App::open(&self.home(), Duration::ZERO)).unwrap();
        let mut parents = vec![];
        values.map(|value| {
            let address = Address::resource("self", "us-east-1", "ssm", "parameter", "/color");
            let attributes = [("Type", "String"), ("Value", value)].map(|(name, value)| (name.into(), value.into()));
            let leaf = Leaf::new(&*app.store, &address, &Record::new(attributes.into())).unwrap();
            let version = Version {
                pod: pod.to_owned(),
                parents: std::mem::take(&mut parents),
                root: tree::build(&*app.store, &mut [Ok(Entry { address, leaf })].into_iter()).unwrap(),
                authorship: Some(Authorship { author: app.secret.author(), created: 0 }),
                message: value.to_owned(),
                source: None,
                stats: Stats::default(),
                skipped: vec![],
            };
            let name = version.write(&*app.store, &app.secret).unwrap();
            assert!(mark_held(&app.store, &[(Kind::Version, name)]).unwrap());
            app.store.update(&[set_local_head(pod, &name)]).unwrap();
            parents = vec![name];
            name.to_string()
        })
    }

    /// The same for a process that the test keeps: killed with the test.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("peapod"));
        command.env("PEAPOD_HOME", self.home()).env_remove("PEAPOD_LOG").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }
}

/// Words as one line for a shell.
pub(crate) fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    words.join(" ")
}

fn clean(command: &mut Command, home: &Path) {
    for name in ["PEAPOD_INSTANCE", "PEAPOD_LOG", "AWS_ENDPOINT_URL", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    command.env("PEAPOD_HOME", home);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env(name, "test");
    }
    command.env("AWS_REGION", "us-east-1");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent").env("AWS_CONFIG_FILE", "/nonexistent");
}

/// What a finished run left.
#[derive(Debug)]
pub(crate) struct Ran(Output);

impl Ran {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().expect("the program was killed")
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// The one document on standard output.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A process that ends with the test.
pub(crate) struct Running(Option<std::process::Child>);

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub(crate) fn wait(mut self) -> Ran {
        Ran(self.0.take().unwrap().wait_with_output().unwrap())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until `happens`, for a minute at the most.
pub(crate) fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}
