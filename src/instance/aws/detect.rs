//! Who answers at an endpoint.

use std::time::Duration;

use super::client::Client;
use super::errors::ApiError;
use super::quirks::Emulator;
use super::request::{Api, Method, Request};
use super::sign::DEFAULT_REGION;
use crate::error::{Error, Result};

const STS: Api = Api::query("sts", "2011-06-15");

/// How long an emulator may take to say who it is. LocalStack loads STS on the first call, which took over 20 seconds on
/// a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(45);
const ANOTHER: &str = "is it the right port? name the emulator's URL with --instance";

/// The make, version and caller's account of whoever answers.
pub(super) struct Detected {
    pub emulator: Emulator,
    pub version: String,
    pub account: String,
    /// Whether peapod's agent runs in it; none for a make that needs none.
    pub agent: Option<bool>,
}

/// Asks each make's own endpoints, then STS for the caller's account.
pub(super) async fn detect(client: &Client) -> Result<Detected> {
    let asked = tokio::time::timeout(PATIENCE, ask(client)).await;
    asked.unwrap_or_else(|_| {
        Err(Error::unavailable(format!("{} takes connections but does not answer", client.endpoint()))
            .hint("restart the emulator, or name another one with --instance"))
    })
}

async fn ask(client: &Client) -> Result<Detected> {
    let (emulator, version) = make(client).await?;
    let answer = client.send(caller(), DEFAULT_REGION).await.map_err(|error| match error.status {
        _ if error.is_gone() => nobody(client, &error),
        // Another kind of server: what it says, a web page say, is of no use to anybody.
        100..500 | 501 if emulator == Emulator::Other && error.code.is_empty() => not_aws(client),
        500.. if error.code.is_empty() => silent(client, format!(" (HTTP {})", error.status)),
        _ => silent(client, String::new()).because(error),
    })?;
    let identity = match answer.xml() {
        Ok(identity) if emulator != Emulator::Other || identity["GetCallerIdentityResult"].is_object() => identity,
        _ => return Err(not_aws(client)),
    };
    let account = identity["GetCallerIdentityResult"]["Account"].as_str().map(str::to_owned);
    let legal = |account: &String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let account = account.filter(legal).ok_or_else(|| {
        Error::unavailable(format!("{} does not say whose account the credentials belong to", client.endpoint()))
            .hint("peapod needs an emulator that answers sts GetCallerIdentity")
    })?;
    let agent = match emulator {
        Emulator::Moto => Some(has_agent(client).await),
        _ => None,
    };
    Ok(Detected { emulator, version, account, agent })
}

fn caller() -> Request {
    Request::form(&STS, "GetCallerIdentity", &[])
}

/// Whether the instance takes this client's calls for those of this account.
pub(super) async fn calls_as(client: &Client, account: &str) -> Result<bool, ApiError> {
    let answer = client.send(caller(), DEFAULT_REGION).await?.xml()?;
    Ok(answer["GetCallerIdentityResult"]["Account"].as_str() == Some(account))
}

/// Whether peapod's agent runs in it.
async fn has_agent(client: &Client) -> bool {
    let answer = client.plain(Method::GET, "/_peapod/agent", None).await.and_then(|answer| answer.json());
    answer.is_ok_and(|json| json["agent"].is_string())
}

fn not_aws(client: &Client) -> Error {
    Error::not_found(format!("what answers at {} is not an AWS emulator", client.endpoint())).hint(ANOTHER)
}

/// It may be an emulator that has broken down, or that is away behind another server.
fn silent(client: &Client, how: String) -> Error {
    Error::unavailable(format!("{} does not answer as an AWS emulator{how}", client.endpoint())).hint(ANOTHER)
}

/// The make, by the endpoints that only it has. LocalStack comes first: it takes the others' endpoints for buckets, and
/// would load S3 to say that there is none.
async fn make(client: &Client) -> Result<(Emulator, String)> {
    const PROOFS: [(Emulator, &str, &str); 4] = [
        (Emulator::LocalStack, "/_localstack/info", "version"),
        (Emulator::Ministack, "/_ministack/health", "edition"),
        (Emulator::Fakecloud, "/_fakecloud/health", "services"),
        // It tells its version nowhere.
        (Emulator::Moto, "/moto-api/config", "batch"),
    ];
    for (emulator, path, proof) in PROOFS {
        match client.plain(Method::GET, path, None).await {
            Err(error) if error.is_gone() => return Err(nobody(client, &error)),
            Err(_) => {}
            Ok(answer) => {
                if let Ok(json) = answer.json()
                    && json.get(proof).is_some()
                {
                    return Ok((emulator, json["version"].as_str().unwrap_or_default().to_owned()));
                }
            }
        }
    }
    Ok((Emulator::Other, String::new()))
}

fn nobody(client: &Client, error: &ApiError) -> Error {
    Error::not_found(format!("no instance at {}", client.endpoint())).because(error.message.clone()).hint(
        "start an emulator there, say `pip install ministack && GATEWAY_PORT=4566 ministack`, or name another with --instance URL",
    )
}
