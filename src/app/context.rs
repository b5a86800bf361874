//! The caller's side of a command: what its environment says, resolved there and carried to where the command runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::events::Events;
use crate::error::{Context as _, Error, Kind, Result};
use crate::instance::Instance;
use crate::instance::aws::{Aws, Login, Options};
use crate::instance::files::{Directory, SCHEME};

/// The instance a command means when nobody says.
pub const DEFAULT_INSTANCE: &str = "http://localhost:4566";
/// How often an instance that is still starting is tried again.
const WAIT_STEP: Duration = Duration::from_millis(200);

/// Where a command comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Context {
    /// The instance it means; none for a command that touches none.
    pub instance: Option<Target>,
    /// The caller's working directory.
    pub directory: PathBuf,
    /// The caller's user name: the default name of a member.
    pub user: String,
}

/// An instance's URL, or a directory, and how to sign for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// As the user gave it; a directory (`dir:PATH`) from the root on.
    pub url: String,
    /// Whether an endpoint that is not on this machine is meant (`--allow-remote`).
    pub allow_remote: bool,
    /// How calls are signed; none for a directory.
    pub login: Option<Login>,
}

impl Context {
    /// For commands that touch no instance: nothing of the environment that could be wrong is read.
    pub fn without_instance() -> Result<Context> {
        Ok(Context {
            instance: None,
            directory: std::env::current_dir().context("the working directory is gone")?,
            user: user(),
        })
    }

    /// Resolves the caller's credentials and region as every AWS tool does.
    ///
    /// Instance: `url`, then `PEAPOD_INSTANCE`, then `AWS_ENDPOINT_URL`, then [`DEFAULT_INSTANCE`].
    pub async fn resolve(url: Option<String>, allow_remote: bool) -> Result<Context> {
        let url = url.or_else(|| variable("PEAPOD_INSTANCE")).or_else(|| variable("AWS_ENDPOINT_URL"));
        let url = url.unwrap_or_else(|| DEFAULT_INSTANCE.to_owned());
        let context = Self::without_instance()?;
        let target = match url.strip_prefix(SCHEME) {
            Some(path) => Target { url: directory(&context.directory, path)?, allow_remote, login: None },
            None => Target { url, allow_remote, login: Some(Login::from_environment().await?) },
        };
        Ok(Context { instance: Some(target), ..context })
    }

    /// The instance's URL, for messages.
    pub fn url(&self) -> &str {
        self.instance.as_ref().map_or("", |target| &target.url)
    }

    /// Connects to the instance that the command means.
    ///
    /// With `wait`, one that does not answer yet is tried again for so long. [`Kind::NotFound`] when nobody answers.
    pub async fn connect(&self, wait: Option<Duration>, events: &Events) -> Result<Box<dyn Instance>> {
        let Some(Target { url, allow_remote, login }) = &self.instance else {
            return Err(Error::usage("this command names no instance").hint("say which with --instance URL"));
        };
        let until = wait.map(|wait| tokio::time::Instant::now() + wait);
        loop {
            let connected: Result<Box<dyn Instance>> = match (url.strip_prefix(SCHEME), login) {
                (None, Some(login)) => {
                    let options = Options { allow_remote: *allow_remote, login: login.clone() };
                    Aws::connect(url, options).await.map(|aws| Box::new(aws) as _)
                }
                (path, _) => Directory::open(Path::new(path.unwrap_or(url))).map(|directory| Box::new(directory) as _),
            };
            match connected {
                Ok(instance) => return Ok(instance),
                Err(error) => {
                    let starting = matches!(error.kind(), Kind::NotFound | Kind::Unavailable);
                    if !starting || until.is_none_or(|until| tokio::time::Instant::now() >= until) {
                        return Err(error);
                    }
                    events.check()?;
                    tokio::time::sleep(WAIT_STEP).await;
                }
            }
        }
    }
}

/// A directory as an instance's URL, whatever the working directory of the one that opens it.
fn directory(working: &Path, path: &str) -> Result<String> {
    let usage = || Error::usage("no directory is named").hint("say which: --instance dir:PATH");
    let path = if path.is_empty() { return Err(usage()) } else { working.join(path) };
    Ok(format!("{SCHEME}{}", path.to_str().ok_or_else(usage)?))
}

/// The caller's name: as the environment, else the system's list of users says; else the host's, else a plain word.
fn user() -> String {
    let listed = || {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        name_in(&users, rustix::process::getuid().as_raw())
    };
    let host = || {
        let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
        let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
        texts.map(|text| text.trim().to_owned()).find(|name| !name.is_empty())
    };
    let named = variable("USER").or_else(|| variable("LOGNAME")).or_else(listed).or_else(host);
    named.unwrap_or_else(|| "me".to_owned())
}

/// The name that a list of users in the form of passwd(5) gives a user id.
fn name_in(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        (uid.parse() == Ok(id) && !name.is_empty()).then(|| name.to_owned())
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_as_the_systems_list_says() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# odd\n:x:5:5::/:\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(name_in(users, 1000).as_deref(), Some("anna"));
        assert_eq!(name_in(users, 0).as_deref(), Some("root"));
        assert_eq!((name_in(users, 5), name_in(users, 7)), (None, None));
    }
}
