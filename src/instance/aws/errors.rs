//! What an instance answers when a call fails.

use std::fmt;

use reqwest::StatusCode;
use serde_json::Value as Json;

use super::xml;
use crate::error::Error;

/// Characters of an instance's own words that are passed on: some answer with a whole traceback.
const REASON: usize = 300;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; 0 when there was no answer at all.
    pub status: u16,
    /// AWS's name for it, without namespace: `ResourceNotFoundException`. Empty when the answer names none.
    pub code: String,
    /// What the instance says about it.
    pub message: String,
    /// The call: `sqs ListQueues`, `s3 GET /bucket`.
    pub operation: String,
    gone: bool,
}

impl ApiError {
    /// The error in an answer with a failure's status.
    pub(super) fn of_answer(operation: &str, status: StatusCode, kind: Option<&str>, body: &[u8]) -> ApiError {
        let (mut code, mut message) = read(body);
        if let Some(kind) = kind.filter(|_| code.is_empty()) {
            code = kind.to_owned();
        }
        if message.is_empty() {
            message = status.canonical_reason().unwrap_or("no reason given").to_owned();
        }
        let code = bare(&code).to_owned();
        ApiError { status: status.as_u16(), code, message, operation: operation.to_owned(), gone: false }
    }

    /// There was no answer, and asking again will give none: nobody listens, or who listens is silent.
    pub(super) fn gone(operation: &str, message: impl Into<String>) -> ApiError {
        ApiError { gone: true, ..ApiError::broken(operation, message) }
    }

    /// The answer was cut off or makes no sense.
    pub(super) fn broken(operation: &str, message: impl Into<String>) -> ApiError {
        let (code, message) = (String::new(), message.into());
        ApiError { status: 0, code, message, operation: operation.to_owned(), gone: false }
    }

    /// Whether AWS's name for it is this one.
    pub fn has_code(&self, code: &str) -> bool {
        self.code == code
    }

    /// The thing asked for is not there.
    pub fn is_missing(&self) -> bool {
        const WORDS: [&str; 5] = ["NotFound", "NoSuch", "NonExistent", "DoesNotExist", "NotExist"];
        !self.is_unsupported() && (self.status == 404 || WORDS.iter().any(|word| self.code.contains(word)))
    }

    /// The instance does not offer the operation or the service.
    pub fn is_unsupported(&self) -> bool {
        const CODES: [&str; 7] = [
            "UnknownOperation",
            "NotImplemented",
            "InvalidAction",
            "UnsupportedOperation",
            "UnknownService",
            "MethodNotAllowed",
            "InternalFailure501",
        ];
        self.status == 501
            || CODES.iter().any(|code| self.code.starts_with(code))
            || (self.code.is_empty() && matches!(self.status, 405) && !self.operation.starts_with("s3 HEAD"))
    }

    /// What was to be created is there already.
    pub fn is_existing(&self) -> bool {
        const WORDS: [&str; 4] = ["AlreadyExist", "InUse", "AlreadyOwned", "ResourceConflict"];
        self.status == 409 || WORDS.iter().any(|word| self.code.contains(word))
    }

    /// The instance itself does not answer.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The instance asks for patience; nothing was done.
    pub(super) fn is_throttled(&self) -> bool {
        const WORDS: [&str; 4] = ["Throttl", "TooManyRequests", "SlowDown", "RequestLimitExceeded"];
        self.status == 429 || WORDS.iter().any(|word| self.code.contains(word))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.operation)?;
        match (self.status, self.code.as_str()) {
            (0, _) => f.write_str(&self.message),
            (status, "") => write!(f, "{} (HTTP {status})", self.message),
            (_, code) if self.message.contains(code) => f.write_str(&self.message),
            (_, code) => write!(f, "{} ({code})", self.message),
        }
    }
}

impl std::error::Error for ApiError {}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Error {
        let message = error.to_string();
        if error.is_gone() {
            return Error::not_found(message)
                .because(error)
                .hint("is the instance still running? start it, or name one with --instance");
        }
        Error::failed(message).because(error)
    }
}

/// An answer that says "there is none" is none.
pub fn found<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// For putting things back: an instance that says no to a request, as against one that breaks down over it, costs
/// this record and no more ([`crate::error::Kind::Denied`]).
pub fn refused(error: ApiError) -> Error {
    let says_no = (400..500).contains(&error.status) || error.is_unsupported();
    if says_no { Error::denied(error.to_string()) } else { error.into() }
}

/// Code and message of a failure's body, in any of the protocols; empty where it holds none.
fn read(body: &[u8]) -> (String, String) {
    let text = |json: &Json, names: &[&str]| {
        names.iter().find_map(|name| json[*name].as_str()).unwrap_or_default().chars().take(REASON).collect::<String>()
    };
    if let Ok(json) = serde_json::from_slice::<Json>(body) {
        return (text(&json, &["__type", "code", "Code"]), text(&json, &["message", "Message", "errorMessage"]));
    }
    match xml::parse(body) {
        Ok(root) => {
            let error = [&root["Error"], &root["Errors"]["Error"]].into_iter().find(|error| error.is_object());
            let error = error.unwrap_or(&root);
            (text(error, &["Code"]), text(error, &["Message"]))
        }
        Err(_) => (String::new(), String::from_utf8_lossy(body).trim().chars().take(REASON).collect()),
    }
}

/// `com.amazonaws.sqs#QueueDoesNotExist:http://..` without what stands around the name.
fn bare(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, kind: Option<&str>, body: &str) -> ApiError {
        ApiError::of_answer("x", StatusCode::from_u16(status).unwrap(), kind, body.as_bytes())
    }

    #[test]
    fn every_protocol_names_its_errors() {
        let json = error(400, None, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#);
        assert_eq!((json.code.as_str(), json.message.as_str()), ("QueueDoesNotExist", "no"));
        assert!(json.is_missing());
        let rest = error(404, Some("ResourceNotFoundException:http://x"), r#"{"Message":"no"}"#);
        assert_eq!(rest.code, "ResourceNotFoundException");
        let query = error(
            404,
            None,
            "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>",
        );
        assert!(query.is_missing() && query.message == "no");
        let s3 =
            error(404, None, "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchTagSet</Code><Message>m</Message></Error>");
        assert_eq!(s3.code, "NoSuchTagSet");
        assert!(error(501, None, "").is_unsupported());
        assert!(error(409, None, "").is_existing());
        let page = error(500, None, "<html>oops");
        assert_eq!((page.code.as_str(), page.message.as_str()), ("", "<html>oops"));
    }
}
