//! The caller's side of a command: what its environment says, resolved there and carried to where the command runs.

use std::fmt;
use std::path::PathBuf;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};

/// The instance a command means when nobody says.
pub const DEFAULT_INSTANCE: &str = "http://localhost:4566";
/// What emulators take when there are no credentials at all.
const NO_CREDENTIALS: &str = "test";
/// The region when none is set anywhere.
const DEFAULT_REGION: &str = "us-east-1";

/// Where a command comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Context {
    /// The instance it means.
    pub instance: Target,
    /// The caller's working directory.
    pub directory: PathBuf,
    /// The caller's user name: the default name of a member.
    pub user: String,
}

/// An instance's URL and how to sign for it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    /// As the user gave it.
    pub url: String,
    /// Whether an endpoint that is not on this machine is meant (`--allow-remote`).
    pub allow_remote: bool,
    /// The access key id; emulators take an account id from it.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token, for temporary credentials.
    pub session_token: Option<String>,
    /// The caller's region.
    pub region: String,
}

/// Without the secrets, which never reach a log.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} as {}", self.url, self.region, self.access_key)
    }
}

impl Context {
    /// For commands that touch no instance: nothing of the environment that could be wrong is read.
    pub fn without_instance() -> Result<Context> {
        let none = Credentials::new(NO_CREDENTIALS, NO_CREDENTIALS, None, None, "peapod");
        Self::new(DEFAULT_INSTANCE.to_owned(), false, &none, DEFAULT_REGION.to_owned())
    }

    /// Resolves the caller's credentials and region as every AWS tool does: environment, then profile files.
    ///
    /// Instance: `url`, then `PEAPOD_INSTANCE`, then `AWS_ENDPOINT_URL`, then [`DEFAULT_INSTANCE`].
    pub async fn resolve(url: Option<String>, allow_remote: bool) -> Result<Context> {
        let url = url.or_else(|| variable("PEAPOD_INSTANCE")).or_else(|| variable("AWS_ENDPOINT_URL"));
        let credentials = credentials(variable("AWS_PROFILE").as_deref()).await?;
        let region = match EnvironmentVariableRegionProvider::new().region().await {
            Some(region) => Some(region),
            None => ProfileFileRegionProvider::new().region().await,
        };
        let region = region.map_or_else(|| DEFAULT_REGION.to_owned(), |region| region.to_string());
        Self::new(url.unwrap_or_else(|| DEFAULT_INSTANCE.to_owned()), allow_remote, &credentials, region)
    }

    fn new(url: String, allow_remote: bool, credentials: &Credentials, region: String) -> Result<Context> {
        Ok(Context {
            instance: Target {
                url,
                allow_remote,
                access_key: credentials.access_key_id().to_owned(),
                secret_key: credentials.secret_access_key().to_owned(),
                session_token: credentials.session_token().map(str::to_owned),
                region,
            },
            directory: std::env::current_dir().context("the working directory is gone")?,
            user: variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "me".to_owned()),
        })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Emulators take any credentials, so having none is no error; naming a profile that gives none is.
async fn credentials(profile: Option<&str>) -> Result<Credentials> {
    let none = Credentials::new(NO_CREDENTIALS, NO_CREDENTIALS, None, None, "peapod");
    match EnvironmentVariableCredentialsProvider::new().provide_credentials().await {
        Ok(credentials) => return Ok(credentials),
        Err(CredentialsError::CredentialsNotLoaded(_)) => {}
        Err(error) => return Err(Error::usage("can't read the credentials in the environment").because(error)),
    }
    match (ProfileFileCredentialsProvider::builder().build().provide_credentials().await, profile) {
        (Ok(credentials), _) => Ok(credentials),
        (Err(_), None) => Ok(none),
        (Err(error), Some(profile)) => {
            Err(Error::usage(format!("the profile \"{profile}\" gives no credentials")).because(error).hint(
                "for an emulator any keys do: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or unset AWS_PROFILE",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let target = Target {
            url: DEFAULT_INSTANCE.into(),
            allow_remote: false,
            access_key: "AKIA".into(),
            secret_key: "hush".into(),
            session_token: Some("hush".into()),
            region: DEFAULT_REGION.into(),
        };
        assert!(!format!("{target:?}").contains("hush"));
    }
}
