//! Starts real emulators on free ports and stops them again.
//!
//! They live under `$PEAPOD_TOOLS` (default `.tools` in the repository), one folder each with `bin/` in it.
//! `bootstrap/test` puts them there. A test whose emulator is lacking says so and passes.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The makes that peapod is tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Make {
    Ministack,
    Moto,
    LocalStack,
    Fakecloud,
}

impl Make {
    pub const ALL: [Make; 4] = [Make::Ministack, Make::Moto, Make::LocalStack, Make::Fakecloud];

    pub fn name(self) -> &'static str {
        match self {
            Make::Ministack => "ministack",
            Make::Moto => "moto",
            Make::LocalStack => "localstack",
            Make::Fakecloud => "fakecloud",
        }
    }

    /// The program that must be there for it to start.
    fn program(self) -> PathBuf {
        let program = match self {
            Make::Ministack => "bin/ministack",
            Make::Moto => "bin/python",
            Make::LocalStack => "bin/python",
            Make::Fakecloud => "bin/fakecloud",
        };
        tools().join(self.name()).join(program)
    }

    fn command(self, port: u16, root: &Path) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Make::Ministack => {
                command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
            }
            Make::Moto => {
                // The agent runs moto's server and adds routes to it.
                let agent = concat!(env!("CARGO_MANIFEST_DIR"), "/bootstrap/agents/moto_agent.py");
                command.args([agent, "-H", "127.0.0.1", "-p", &port.to_string()]);
            }
            Make::LocalStack => {
                command
                    .args(["-m", "localstack.runtime.main"])
                    .env("GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
                    .env("SKIP_SSL_CERT_DOWNLOAD", "1")
                    .env("DISABLE_EVENTS", "1")
                    .env("OVERRIDE_IN_DOCKER", "0")
                    .env("FILESYSTEM_ROOT", root);
            }
            Make::Fakecloud => {
                command.args(["--addr", &format!("127.0.0.1:{port}"), "--account-id", "000000000000"]);
            }
        }
        command
    }

    fn health(self) -> &'static str {
        match self {
            Make::Ministack => "/_ministack/health",
            Make::Moto => "/moto-api/config",
            Make::LocalStack => "/_localstack/health",
            Make::Fakecloud => "/_fakecloud/health",
        }
    }
}

/// Where the emulators and the boto3 client are.
pub fn tools() -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".tools");
    std::env::var_os("PEAPOD_TOOLS").map_or_else(default, PathBuf::from)
}

/// A running emulator, stopped when it is dropped.
pub struct Emulator {
    pub make: Make,
    pub url: String,
    child: Child,
    root: tempfile::TempDir,
}

impl Emulator {
    /// Starts one; none if it is not installed here, which is said.
    pub fn start(make: Make) -> Option<Emulator> {
        if !make.program().exists() {
            println!("skipped: no {} in {}; `bootstrap/test` installs it", make.name(), tools().display());
            return None;
        }
        for _ in 0..2 {
            if let Some(emulator) = Self::try_start(make, |port, root| make.command(port, root)) {
                return Some(emulator);
            }
        }
        panic!("{} does not start", make.name());
    }

    /// moto as its users start it, without the agent.
    pub fn start_plain_moto() -> Option<Emulator> {
        let program = tools().join("moto/bin/moto_server");
        program.exists().then_some(())?;
        Self::try_start(Make::Moto, |port, _| {
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        })
    }

    fn try_start(make: Make, command: impl FnOnce(u16, &Path) -> Command) -> Option<Emulator> {
        let port = free_port();
        let root = tempfile::tempdir().unwrap();
        let log = File::create(root.path().join("log")).unwrap();
        let child = command(port, root.path())
            .current_dir(root.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // Its workers (function runtimes) are in its group and end with it.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut emulator = Emulator { make, url: format!("http://127.0.0.1:{port}"), child, root };
        let end = Instant::now() + Duration::from_secs(40);
        while Instant::now() < end {
            if healthy(port, make.health()) {
                return Some(emulator);
            }
            if let Ok(Some(status)) = emulator.child.try_wait() {
                println!("{} ended with {status}: {}", make.name(), emulator.log());
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        println!("{} is not ready: {}", make.name(), emulator.log());
        None
    }

    /// What it wrote, the last of it.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.root.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// How many lines of what it wrote hold these words: moto writes a line for every request.
    pub fn count_in_log(&self, words: &str) -> usize {
        let log = std::fs::read_to_string(self.root.path().join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(words)).count()
    }

    /// Its process, for looking at its memory.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a Python script with boto3 against it and gives back what it prints. The client's settings come by
    /// environment, so that the script needs only `boto3.client("s3")`.
    pub fn boto3(&self, script: &str) -> String {
        boto3(&self.url, script)
    }
}

/// Whether boto3 is installed here; says so if not.
pub fn has_boto3() -> bool {
    let there = tools().join("client/bin/python").exists();
    if !there {
        println!("skipped: no boto3 in {}; `bootstrap/test` installs it", tools().display());
    }
    there
}

/// See [`Emulator::boto3`].
pub fn boto3(url: &str, script: &str) -> String {
    let mut child = Command::new(tools().join("client/bin/python"))
        .arg("-")
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("NO_PROXY", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the script failed at {url}:\n{out}\n{err}");
    out.into_owned()
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the last words of {}:\n{}", self.make.name(), self.log());
        }
        if let Some(group) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn healthy(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    // "HTTP/1.1 2": moto answers 201.
    let mut answer = [0; 10];
    stream.write_all(request.as_bytes()).is_ok() && stream.read_exact(&mut answer).is_ok() && answer.ends_with(b" 2")
}
