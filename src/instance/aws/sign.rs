//! Signatures, and whose they are.

use std::time::SystemTime;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::core::address::GLOBAL_REGION;
use crate::error::{Context, Error, Result};

/// Whose calls they are, and the region they go to when nothing else says one.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Login {
    /// `test` when none is configured. Some emulators take twelve digits as the account.
    pub access_key: String,
    /// `test` when none is configured.
    pub secret_key: String,
    /// Comes with temporary credentials.
    pub session_token: Option<String>,
    /// `us-east-1` when none is configured.
    pub region: String,
}

/// Without the secrets: a login must be able to stand in a log.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("access_key", &self.access_key)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The region that global services are signed for, and that stands for "none configured".
pub const DEFAULT_REGION: &str = "us-east-1";

impl Login {
    /// As every AWS tool reads it: the environment, then the profile files. Emulators take any key, so a machine where
    /// nothing is configured gets `test`/`test`; a profile that was asked for by name must be there.
    pub async fn from_environment() -> Result<Login> {
        let asked = std::env::var("AWS_PROFILE").is_ok_and(|name| !name.is_empty());
        let credentials = match EnvironmentVariableCredentialsProvider::new().provide_credentials().await {
            Ok(credentials) => credentials,
            Err(_) => match profiles().provide_credentials().await {
                Ok(credentials) => credentials,
                Err(error) if asked => {
                    return Err(Error::usage("the profile in AWS_PROFILE gives no credentials")
                        .because(error)
                        .hint("name a profile with an access key, or unset AWS_PROFILE: emulators take any key"));
                }
                Err(_) => Credentials::new("test", "test", None, None, "default"),
            },
        };
        let region = match EnvironmentVariableRegionProvider::new().region().await {
            Some(region) => Some(region),
            None => ProfileFileRegionProvider::builder().build().region().await,
        };
        Ok(Login {
            access_key: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            session_token: credentials.session_token().map(str::to_owned),
            region: region.map_or_else(|| DEFAULT_REGION.into(), |region| region.to_string()),
        })
    }
}

/// The profile files. A profile that wants its keys from the machine it runs on (EC2, ECS) gets none: asking there takes
/// an HTTP client that the SDK does not bring in this build and without which it panics.
fn profiles() -> ProfileFileCredentialsProvider {
    ProfileFileCredentialsProvider::builder()
        .with_custom_provider("Ec2InstanceMetadata", EnvironmentVariableCredentialsProvider::new())
        .with_custom_provider("EcsContainer", EnvironmentVariableCredentialsProvider::new())
        .build()
}

/// What is signed.
pub(super) struct Signable<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub method: &'a str,
    pub url: &'a str,
    /// None for a body that is streamed.
    pub body: Option<&'a [u8]>,
}

impl Login {
    /// Adds the headers of a version 4 signature. The host header is signed as it stands in the URL.
    pub(super) fn sign(&self, request: &Signable<'_>, headers: &mut HeaderMap) -> Result<()> {
        let mut settings = SigningSettings::default();
        if request.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let region = if request.region == GLOBAL_REGION { DEFAULT_REGION } else { request.region };
        let (access, secret, token) = (&self.access_key, &self.secret_key, self.session_token.clone());
        let identity = Credentials::new(access, secret, token, None, "peapod").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(request.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .context("can't sign a request")?
            .into();
        let body = request.body.map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
        // Header values that are not ASCII (they are legal in user metadata) can't be signed and stay out of it.
        let signed = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable =
            SignableRequest::new(request.method, request.url, signed, body).context("can't sign a request")?;
        let (instructions, _) = sign(signable, &params).context("can't sign a request")?.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).context("can't sign a request")?;
            headers.insert(name, HeaderValue::from_str(value).context("can't sign a request")?);
        }
        Ok(())
    }
}
