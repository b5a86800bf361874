//! Speaks the AWS wire protocols to one endpoint: signs, sends, bounds, retries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use super::bodies;
use super::errors::ApiError;
use super::request::{Answer, Payload, Protocol, Request, encode};
use super::sign::{Login, Signable};
use super::streamed::{Streamed, deepest};
use crate::error::{Context, Result};
use crate::limits;

/// How often a call is tried, and how long before the second try; then twice as long each time.
const TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(150);
/// Slower than this, a streamed body counts as stuck.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// A client of one instance. Cheap to clone; clones share the bound on open requests.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    login: Arc<Login>,
    slots: Arc<Semaphore>,
    /// An account other than the caller's, in whose name it calls.
    account: Option<HeaderValue>,
}

/// What is sent: a request in its protocol's dress.
struct Prepared {
    service: &'static str,
    region: String,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// A client of `endpoint`, which [`super::endpoint::parse`] has let pass. Nothing is sent yet.
    pub(super) fn new(endpoint: Url, login: Login) -> Result<Client> {
        let http = reqwest::Client::builder()
            // A proxy would send calls meant for this machine elsewhere, and so would a redirect.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits::INSTANCE_CONNECT)
            .pool_max_idle_per_host(limits::INSTANCE_REQUESTS)
            .tcp_nodelay(true)
            .http1_only()
            .user_agent(concat!("peapod/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("can't set up an HTTP client")?;
        let slots = Arc::new(Semaphore::new(limits::INSTANCE_REQUESTS));
        Ok(Client { http, endpoint, login: Arc::new(login), slots, account: None })
    }

    /// The same client in the name of another account: emulators take twelve digits as access key for one, and moto a
    /// header of its own.
    pub(super) fn of_account(&self, account: &str) -> Result<Client> {
        let header = HeaderValue::from_str(account).context("an account is twelve digits")?;
        let login = Login {
            access_key: account.to_owned(),
            secret_key: "test".to_owned(),
            session_token: None,
            region: self.login.region.clone(),
        };
        Ok(Client { login: Arc::new(login), account: Some(header), ..self.clone() })
    }

    /// Scheme, host and port, without a trailing slash.
    pub fn endpoint(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    /// The region to use where nothing says another.
    pub fn home_region(&self) -> &str {
        &self.login.region
    }

    /// Sends a request and reads the whole answer. Retries what may be retried.
    pub async fn send(&self, request: Request, region: &str) -> Result<Answer, ApiError> {
        let operation = request.operation();
        let idempotent = request.idempotent;
        let (prepared, mut stream) = self.prepare(request, region)?;
        let once = stream.is_some();
        let mut wait = BACKOFF;
        let mut tries = 1;
        loop {
            let answer = match self.exchange(&prepared, stream.take(), &operation).await {
                Ok(streamed) => streamed.collect().await,
                Err(error) => Err(error),
            };
            match answer {
                Err(error) if tries < TRIES && !once && worth_retrying(&error, idempotent) => {
                    tracing::debug!(%error, tries, "trying again");
                    tokio::time::sleep(wait).await;
                    (wait, tries) = (wait * 2, tries + 1);
                }
                answer => return answer,
            }
        }
    }

    /// Sends a request and gives back the answer with its body still to be read. Retries until there is an answer.
    pub async fn open(&self, request: Request, region: &str) -> Result<Streamed, ApiError> {
        let operation = request.operation();
        let (prepared, _) = self.prepare(request, region)?;
        let mut wait = BACKOFF;
        let mut tries = 1;
        loop {
            match self.exchange(&prepared, None, &operation).await {
                Err(error) if tries < TRIES && worth_retrying(&error, true) => {
                    tokio::time::sleep(wait).await;
                    (wait, tries) = (wait * 2, tries + 1);
                }
                answer => return answer,
            }
        }
    }

    /// An unsigned request to one of the emulator's own endpoints; `path` begins with `/` and may have a query.
    pub async fn plain(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Answer, ApiError> {
        let operation = format!("{method} {path}");
        let request = self.http.request(method, format!("{}{path}", self.endpoint())).body(body.unwrap_or_default());
        self.execute(request, &operation, limits::INSTANCE_SILENCE).await?.collect().await
    }

    /// An unsigned GET of a URL that the instance gave. It always goes to the instance itself, whatever host the URL
    /// names: LocalStack's don't resolve, and a stranger's must not be followed. The URL's host stays in the header.
    pub async fn download(&self, url: &str) -> Result<Streamed, ApiError> {
        let operation = "download".to_owned();
        let given = Url::parse(url).map_err(|_| ApiError::broken(&operation, format!("{url:?} is not a URL")))?;
        let host = match (given.host_str(), given.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        let tail = given.query().map_or_else(|| given.path().to_owned(), |query| format!("{}?{query}", given.path()));
        let request = self.http.get(format!("{}{tail}", self.endpoint())).header(HOST, host);
        self.execute(request, &operation, limits::INSTANCE_SILENCE).await
    }

    fn prepare(&self, request: Request, region: &str) -> Result<(Prepared, Option<(reqwest::Body, u64)>), ApiError> {
        let operation = request.operation();
        let mut headers = request.headers;
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.entry(name).or_insert(value);
            }
        };
        let mut stream = None;
        let body = match (request.payload, request.api.protocol) {
            (Payload::Json(json), protocol) => {
                match protocol {
                    Protocol::Json { version, .. } => set("content-type", &format!("application/x-amz-json-{version}")),
                    _ => set("content-type", "application/json"),
                }
                Bytes::from(json.to_string())
            }
            (Payload::Form(fields), Protocol::Query { version, .. }) => {
                set("content-type", "application/x-www-form-urlencoded; charset=utf-8");
                let head = [("Action".to_owned(), request.action.clone()), ("Version".to_owned(), version.to_owned())];
                Bytes::from(pairs(head.iter().chain(&fields)))
            }
            (Payload::Form(fields), _) => Bytes::from(pairs(fields.iter())),
            (Payload::Bytes(bytes), _) => bytes,
            (Payload::Stream(reader, size), _) => {
                stream = Some((bodies::stream(reader), size));
                Bytes::new()
            }
            (Payload::None, _) => Bytes::new(),
        };
        if let Protocol::Json { target, .. } = request.api.protocol {
            set("x-amz-target", &format!("{target}.{}", request.action));
        }
        let mut url = format!("{}{}", self.endpoint(), request.path);
        if !request.query.is_empty() {
            url.push('?');
            url.push_str(&pairs(request.query.iter()));
        }
        // What the URL library rewrites (a segment `..`) would be another request than the one meant.
        let parsed = Url::parse(&url).map_err(|_| ApiError::broken(&operation, "the path makes no URL"))?;
        if parsed.path() != request.path {
            return Err(ApiError::broken(&operation, "no URL can name this path"));
        }
        let (service, region) = (request.api.signing, region.to_owned());
        Ok((Prepared { service, region, method: request.method, url, headers, body }, stream))
    }

    async fn exchange(
        &self,
        prepared: &Prepared,
        stream: Option<(reqwest::Body, u64)>,
        operation: &str,
    ) -> Result<Streamed, ApiError> {
        let mut headers = prepared.headers.clone();
        if let Some(account) = &self.account {
            headers.insert("x-moto-account-id", account.clone());
        }
        let body = stream.is_none().then_some(prepared.body.as_ref());
        let Prepared { service, region, method, url, .. } = prepared;
        let signable = Signable { service, region, method: method.as_str(), url, body };
        self.login.sign(&signable, &mut headers).map_err(|error| ApiError::broken(operation, error.chain()))?;
        let request = self.http.request(method.clone(), url).headers(headers);
        let (request, patience) = match stream {
            Some((body, size)) => (
                request.header(CONTENT_LENGTH, size).body(body),
                limits::INSTANCE_SILENCE + Duration::from_secs(size / SLOWEST_BYTES_PER_SECOND),
            ),
            None => (request.body(prepared.body.clone()), limits::INSTANCE_SILENCE),
        };
        self.execute(request, operation, patience).await
    }

    async fn execute(
        &self,
        request: reqwest::RequestBuilder,
        operation: &str,
        patience: Duration,
    ) -> Result<Streamed, ApiError> {
        let slot = self.slots.clone().acquire_owned().await;
        let slot = slot.map_err(|_| ApiError::broken(operation, "the client is closed"))?;
        let response = match timeout(patience, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                return Err(ApiError::gone(operation, format!("nobody answers at {}", self.endpoint())));
            }
            Ok(Err(error)) => return Err(ApiError::broken(operation, deepest(&error))),
            Err(_) => {
                let seconds = patience.as_secs();
                return Err(ApiError::gone(operation, format!("{} is silent for {seconds} s", self.endpoint())));
            }
        };
        let status = response.status();
        let streamed = Streamed { response, operation: operation.to_owned(), _slot: slot };
        if status.is_success() {
            return Ok(streamed);
        }
        let kind = streamed.header("x-amzn-errortype").or_else(|| streamed.header("x-amz-error-code"));
        let kind = kind.map(str::to_owned);
        let body = streamed.collect().await.map(|answer| answer.body).unwrap_or_default();
        Err(ApiError::of_answer(operation, status, kind.as_deref(), &body))
    }
}

fn worth_retrying(error: &ApiError, idempotent: bool) -> bool {
    let lost = error.status == 0 && !error.is_gone();
    let failed = error.status >= 500 && !error.is_unsupported();
    error.is_throttled() || (idempotent && (lost || failed))
}

fn pairs<'a>(fields: impl Iterator<Item = &'a (String, String)>) -> String {
    fields.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.endpoint())
    }
}
