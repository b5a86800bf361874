//! The one error type of peapod.
//!
//! Every failure a user can meet says three things: what failed ([`Error::message`]), why (the chain of
//! [`std::error::Error::source`]), and what to do next ([`Error::hint`]). Its [`Kind`] decides the exit code.

use std::fmt;

/// What sort of failure it is; scripts branch on this, so the set is closed and each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something went wrong that no other kind names. Exit code 1.
    Failed,
    /// The command line or a value in it makes no sense. Exit code 2.
    Usage,
    /// Two sides disagree; nothing was changed. Exit code 3.
    Conflict,
    /// No such pod, version, member or instance. Exit code 4.
    NotFound,
    /// A signature, a role or a safety rule forbids it. Exit code 5.
    Denied,
    /// No peer has it, or it did not answer in time. Exit code 6.
    Unavailable,
}

impl Kind {
    /// The process exit code that scripts see.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Conflict => 3,
            Kind::NotFound => 4,
            Kind::Denied => 5,
            Kind::Unavailable => 6,
        }
    }
}

/// A failure, its reason and the way out.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    details: Option<Box<serde_json::Value>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything in peapod that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` says what failed, in lower case and without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), hint: None, details: None, source: None }
    }

    /// [`Kind::Failed`]: none of the other kinds.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// [`Kind::Usage`]: the user's own input.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// [`Kind::Conflict`]: nothing was changed.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// [`Kind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// [`Kind::Denied`].
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    /// [`Kind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// The same error with what the user should do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with a JSON object whose fields stand beside `error` in `--json` output (`conflicts`, say).
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with a line in front that says what it stopped; kind, hint and details stay.
    #[must_use]
    pub fn in_front(self, message: impl Into<String>) -> Self {
        wrap(message.into(), Box::new(self))
    }

    /// The kind, which decides the exit code.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What failed, without its causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next, if there is something.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What failed and every cause under it, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let line = error.to_string();
            if !text.ends_with(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            cause = error.source();
        }
        text
    }

    /// The `--json` form: `{"error": {kind, message, hint}, ..details}`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut document = match self.details.as_deref() {
            Some(serde_json::Value::Object(fields)) => fields.clone(),
            _ => serde_json::Map::new(),
        };
        let error = serde_json::json!({ "kind": self.kind, "message": self.chain(), "hint": self.hint });
        document.insert("error".into(), error);
        serde_json::Value::Object(document)
    }

    /// The error that [`Error::to_json`] wrote, as the other end of the control socket reads it.
    pub fn from_json(document: &serde_json::Value) -> Self {
        let error = &document["error"];
        let kind = serde_json::from_value(error["kind"].clone()).unwrap_or(Kind::Failed);
        let mut rest = document.as_object().cloned().unwrap_or_default();
        rest.remove("error");
        Error {
            kind,
            message: error["message"].as_str().unwrap_or("the node failed without saying why").to_owned(),
            hint: error["hint"].as_str().map(str::to_owned),
            details: (!rest.is_empty()).then(|| Box::new(serde_json::Value::Object(rest))),
            source: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Adds what peapod was doing to an error of a library.
pub trait Context<T> {
    /// Wraps the error as [`Kind::Failed`] with `message` in front.
    fn context(self, message: impl Into<String>) -> Result<T>;

    /// Like [`Context::context`], but the message is made only when it is needed.
    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|error| wrap(message.into(), error.into()))
    }

    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| wrap(message().into(), error.into()))
    }
}

/// A wrapped [`Error`] keeps its kind, hint and details: context must not turn "not found" into "failed".
fn wrap(message: String, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let (kind, hint, details) = match source.downcast_ref::<Error>() {
        Some(inner) => (inner.kind, inner.hint.clone(), inner.details.clone()),
        None => (Kind::Failed, None, None),
    };
    Error { kind, message, hint, details, source: Some(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_keeps_the_kind_and_the_hint() {
        let inner: Result<()> = Err(Error::not_found("no pod \"p\"").hint("run `peapod list`"));
        let outer = inner.context("can't inject").unwrap_err();
        assert_eq!(outer.kind(), Kind::NotFound);
        assert_eq!(outer.hint_text(), Some("run `peapod list`"));
        assert_eq!(outer.chain(), "can't inject: no pod \"p\"");
    }

    #[test]
    fn an_error_survives_the_control_socket() {
        let error =
            Error::conflict("2 conflicts").hint("--on-conflict").details(serde_json::json!({"conflicts": [1, 2]}));
        let back = Error::from_json(&error.to_json());
        assert_eq!(back.to_json(), error.to_json());
        assert_eq!(back.kind().exit_code(), 3);
    }
}
