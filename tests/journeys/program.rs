//! The program as a developer runs it: one home, one instance at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

/// A developer: a home, and nothing else that a command could read.
pub struct Developer {
    directory: tempfile::TempDir,
}

impl Developer {
    pub fn new() -> Developer {
        Developer { directory: tempfile::tempdir().unwrap() }
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// The command, with JSON answers and the instance at `url`.
    pub fn command(&self, url: &str, arguments: &[&str]) -> Command {
        self.command_in(&self.home(), url, arguments)
    }

    /// The same on another home.
    pub fn command_in(&self, home: &Path, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("peapod"));
        command
            .args(arguments)
            .arg("--json")
            .env_remove("PEAPOD_LOG")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_ENDPOINT_URL")
            .env("PEAPOD_HOME", home)
            .env("PEAPOD_INSTANCE", url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
            .env("AWS_CONFIG_FILE", "/nonexistent")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it; killed when the test lets go of it.
    pub fn start(&self, url: &str, arguments: &[&str]) -> Running {
        Running(Some(self.command(url, arguments).spawn().unwrap()))
    }

    /// Runs it to its end, which comes within five minutes.
    pub fn run(&self, url: &str, arguments: &[&str]) -> Ran {
        self.start(url, arguments).wait()
    }

    /// Runs what must succeed; its document.
    pub fn ok(&self, url: &str, arguments: &[&str]) -> Value {
        let ran = self.run(url, arguments);
        assert_eq!(ran.code(), 0, "peapod {arguments:?}: {ran:?}");
        ran.json()
    }

    /// Runs what must fail with this exit code; its document.
    pub fn fails(&self, code: i32, url: &str, arguments: &[&str]) -> Value {
        let ran = self.run(url, arguments);
        assert_eq!(ran.code(), code, "peapod {arguments:?}: {ran:?}");
        assert!(ran.json()["error"]["message"].is_string(), "{ran:?}");
        ran.json()
    }

    /// The addresses that differ between two versions: added, changed, removed.
    pub fn diff(&self, first: &str, second: &str) -> [Vec<String>; 3] {
        let diff = self.ok("", &["diff", first, second]);
        ["added", "changed", "removed"].map(|list| addresses(&diff[list]))
    }

    /// The addresses of a version's records.
    pub fn records(&self, version: &str) -> Vec<String> {
        addresses(&self.ok("", &["inspect", version])["records"])
    }

    /// Finds the home whole.
    pub fn home_is_clean(&self) {
        self.ok("", &["fsck"]);
    }
}

impl Drop for Developer {
    fn drop(&mut self) {
        if self.home().join("control.sock").exists() {
            let _ = self.command("", &["down"]).output();
        }
    }
}

/// The addresses in a list of addresses, or of objects that have one.
pub fn addresses(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is no list"));
    list.iter().map(|item| item.as_str().or(item["address"].as_str()).unwrap().to_owned()).collect()
}

/// What a finished command left.
#[derive(Debug)]
pub struct Ran(Output);

impl Ran {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Ran {
        Running(Some(command.spawn().unwrap())).wait()
    }

    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// The one document on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A command under way.
pub struct Running(Option<Child>);

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Ran {
        let child = self.0.take().unwrap();
        let pid = child.id();
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if ended.recv_timeout(Duration::from_secs(300)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                kill(pid);
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(done);
        watch.join().unwrap();
        Ran(output)
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        signal(self.0.as_ref().unwrap().id(), rustix::process::Signal::INT);
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
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

/// `kill -9`.
pub fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}

/// Waits until `happens`, for a minute at the most.
pub fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The files below a directory that have this ending.
pub fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// When a file with this ending was last written below a directory.
pub fn newest(directory: &Path, ending: &str) -> Option<SystemTime> {
    files(directory, ending).iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok()).max()
}
