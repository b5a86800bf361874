//! Requests and answers, the same for every protocol.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
pub use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::errors::ApiError;
use super::xml;
use crate::core::content::{ContentReader, Contents};
use crate::core::record::Body;
use crate::core::withheld;

/// Everything but RFC 3986's unreserved characters, as SigV4 wants it.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a service is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    /// The service's name in signatures, by which emulators route.
    pub signing: &'static str,
    pub(super) protocol: Protocol,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Protocol {
    Json {
        target: &'static str,
        version: &'static str,
    },
    /// `bare`: the answer stands in the root element, not in `<ActionResult>`.
    Query {
        version: &'static str,
        bare: bool,
    },
    Rest,
}

impl Api {
    /// JSON both ways, the action in `X-Amz-Target: TARGET.Action`; `version` is `1.0` or `1.1`.
    pub const fn json(signing: &'static str, target: &'static str, version: &'static str) -> Api {
        Api { signing, protocol: Protocol::Json { target, version } }
    }

    /// A form with `Action` and `Version`, answered in XML.
    pub const fn query(signing: &'static str, version: &'static str) -> Api {
        Api { signing, protocol: Protocol::Query { version, bare: false } }
    }

    /// The same as EC2 speaks it: the answer is not wrapped in `<ActionResult>`, and the elements of a list are called
    /// `item`.
    pub const fn ec2(signing: &'static str, version: &'static str) -> Api {
        Api { signing, protocol: Protocol::Query { version, bare: true } }
    }

    /// Methods and paths, with JSON or XML bodies.
    pub const fn rest(signing: &'static str) -> Api {
        Api { signing, protocol: Protocol::Rest }
    }
}

/// One request, not yet signed or sent.
pub struct Request {
    pub(super) api: Api,
    pub(super) method: Method,
    pub(super) path: String,
    /// The action of the JSON and query protocols; empty for REST.
    pub(super) action: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
    pub(super) idempotent: bool,
}

pub(super) enum Payload {
    None,
    Json(Json),
    Form(Vec<(String, String)>),
    Bytes(Bytes),
    Stream(ContentReader, u64),
}

impl Request {
    fn new(api: &Api, method: Method, path: String, action: &str, payload: Payload) -> Request {
        const READS: [&str; 7] = ["List", "Describe", "Get", "Batch", "Query", "Scan", "Head"];
        let reads = READS.iter().any(|word| action.starts_with(word)) && !action.starts_with("BatchWrite");
        let idempotent = reads || (action.is_empty() && method != Method::POST && method != Method::PATCH);
        let (query, headers, action) = (Vec::new(), HeaderMap::new(), action.to_owned());
        Request { api: *api, method, path, action, query, headers, payload, idempotent }
    }

    /// An action with a JSON body.
    pub fn json(api: &Api, action: &str, body: Json) -> Request {
        Request::new(api, Method::POST, "/".into(), action, Payload::Json(body))
    }

    /// An action with form fields (`Tags.member.1.Key` and so on spelled out).
    pub fn form(api: &Api, action: &str, fields: &[(&str, &str)]) -> Request {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::new(api, Method::POST, "/".into(), action, Payload::Form(fields))
    }

    /// A method on a path of these segments, each of which is percent-encoded.
    pub fn rest<S: AsRef<str>>(api: &Api, method: Method, segments: impl IntoIterator<Item = S>) -> Request {
        let path: String = segments.into_iter().map(|segment| format!("/{}", encode(segment.as_ref()))).collect();
        Request::new(api, method, if path.is_empty() { "/".into() } else { path }, "", Payload::None)
    }

    /// A method on a path that is percent-encoded already and begins with `/`.
    pub(super) fn raw(api: &Api, method: Method, path: String) -> Request {
        Request::new(api, method, path, "", Payload::None)
    }

    /// Adds a parameter to the URL.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Request {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a header. A value that no header can hold (it has a line break) is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn body_json(mut self, body: Json) -> Request {
        self.payload = Payload::Json(body);
        self
    }

    /// Sets a body of bytes.
    #[must_use]
    pub fn body_bytes(mut self, body: impl Into<Bytes>) -> Request {
        self.payload = Payload::Bytes(body.into());
        self
    }

    /// Streams a record's body. Sent once: it is not retried.
    #[must_use]
    pub fn body_of(mut self, body: &Body, contents: &dyn Contents) -> Request {
        self.payload = match body {
            Body::Inline(bytes) => Payload::Bytes(bytes.clone().into()),
            Body::Content(content) => Payload::Stream(contents.read_content(content), content.size),
            Body::Withheld => Payload::Stream(Box::new(std::iter::once(Err(withheld::error()))), 0),
        };
        self
    }

    /// Streams the next `size` bytes of `reader`. Sent once: it is not retried.
    #[must_use]
    pub fn body_stream(mut self, reader: ContentReader, size: u64) -> Request {
        self.payload = Payload::Stream(reader, size);
        self
    }

    /// Says that sending it twice does what sending it once does, so that it is retried when its fate is unknown.
    #[must_use]
    pub fn idempotent(mut self) -> Request {
        self.idempotent = true;
        self
    }

    /// For messages: `sqs ListQueues`, `s3 GET /bucket`.
    pub(super) fn operation(&self) -> String {
        let signing = self.api.signing;
        if self.action.is_empty() {
            format!("{signing} {} {}", self.method, self.path)
        } else {
            format!("{signing} {}", self.action)
        }
    }
}

/// `text` as one segment of a path or one part of a query string.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most [`crate::limits::INSTANCE_ANSWER`].
    pub body: Bytes,
    pub(super) operation: String,
}

impl Answer {
    /// A header, if it is there and UTF-8 (which user metadata may be, against HTTP).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// The body as JSON; null if it is empty.
    pub fn json(&self) -> Result<Json, ApiError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&self.body).map_err(|_| ApiError::broken(&self.operation, "the answer is not JSON"))
    }

    /// The content of the body's root element as JSON, see [`xml`]; null if the body is empty.
    pub fn xml(&self) -> Result<Json, ApiError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Json::Null);
        }
        xml::parse(&self.body).map_err(|error| ApiError::broken(&self.operation, error.chain()))
    }

    /// The body in whichever of the two it is.
    pub fn either(&self) -> Result<Json, ApiError> {
        match self.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'<') => self.xml(),
            _ => self.json(),
        }
    }
}
