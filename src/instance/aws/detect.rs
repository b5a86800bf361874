//! Who answers at an endpoint.

use std::time::Duration;

use futures::future;

use super::client::Client;
use super::errors::ApiError;
use super::quirks::Emulator;
use super::request::{Answer, Api, Method, Request};
use super::sign::DEFAULT_REGION;
use crate::error::{Error, Result};

const STS: Api = Api::query("sts", "2011-06-15");

/// How long an emulator may take to say who it is. LocalStack loads a service on its first call, which takes seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// The make, version and caller's account of whoever answers.
pub(super) struct Detected {
    pub emulator: Emulator,
    pub version: String,
    pub account: String,
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
    let get = async |path: &'static str| client.plain(Method::GET, path, None).await;
    let (ministack, localstack, fakecloud, moto) = future::join4(
        get("/_ministack/health"),
        get("/_localstack/info"),
        get("/_fakecloud/health"),
        get("/moto-api/config"),
    )
    .await;
    for answer in [&ministack, &localstack, &fakecloud, &moto] {
        if let Err(error) = answer
            && error.is_gone()
        {
            return Err(nobody(client, error));
        }
    }
    let version = |answer: &Result<Answer, ApiError>, proof: &str| -> Option<String> {
        let json = answer.as_ref().ok()?.json().ok()?;
        json.get(proof)?;
        Some(json["version"].as_str().unwrap_or_default().to_owned())
    };
    let (emulator, version) = if let Some(version) = version(&ministack, "edition") {
        (Emulator::Ministack, version)
    } else if let Some(version) = version(&fakecloud, "services") {
        (Emulator::Fakecloud, version)
    } else if let Some(version) = version(&localstack, "version") {
        (Emulator::LocalStack, version)
    } else if version(&moto, "batch").is_some() {
        // moto tells its version nowhere.
        (Emulator::Moto, String::new())
    } else {
        (Emulator::Other, String::new())
    };
    let request = Request::form(&STS, "GetCallerIdentity", &[]);
    let identity = client.send(request, DEFAULT_REGION).await.and_then(|answer| answer.xml());
    let identity = identity.map_err(|error| {
        Error::unavailable(format!("{} does not answer as an AWS emulator", client.endpoint()))
            .because(error)
            .hint("is it the right port? name the emulator's URL with --instance")
    })?;
    let account = identity["GetCallerIdentityResult"]["Account"].as_str().map(str::to_owned);
    let legal = |account: &String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let account = account.filter(legal).ok_or_else(|| {
        Error::unavailable(format!("{} does not say whose account the credentials belong to", client.endpoint()))
            .hint("peapod needs an emulator that answers sts GetCallerIdentity")
    })?;
    Ok(Detected { emulator, version, account })
}

fn nobody(client: &Client, error: &ApiError) -> Error {
    Error::not_found(format!("no instance at {}", client.endpoint())).because(error.clone()).hint(
        "start an emulator there, say `pip install ministack && GATEWAY_PORT=4566 ministack`, or name another with --instance URL",
    )
}
