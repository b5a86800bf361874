//! An answer on its way: headers first, the body piece by piece.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::header::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::errors::ApiError;
use super::request::Answer;
use crate::limits;

/// An answer whose body is still to be read. Holds one of the instance's request slots until it is dropped.
pub struct Streamed {
    pub(super) response: Response,
    pub(super) operation: String,
    pub(super) _slot: OwnedSemaphorePermit,
}

impl Streamed {
    /// Its headers.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// A header, if it is there and UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// How long the body says it is.
    pub fn size(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next bytes; none at the end. A body that ends early is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match timeout(limits::INSTANCE_SILENCE, self.response.chunk()).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) => Err(ApiError::broken(&self.operation, deepest(&error))),
            Err(_) => Err(ApiError::gone(&self.operation, "the instance went silent in the middle of an answer")),
        }
    }

    /// The whole answer, refused above [`limits::INSTANCE_ANSWER`].
    pub async fn collect(mut self) -> Result<Answer, ApiError> {
        let too_long = |operation: &str| {
            ApiError::broken(operation, format!("the answer is longer than {} bytes", limits::INSTANCE_ANSWER))
        };
        if self.size().is_some_and(|size| size > limits::INSTANCE_ANSWER as u64) {
            return Err(too_long(&self.operation));
        }
        let mut body = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if body.len() + bytes.len() > limits::INSTANCE_ANSWER {
                return Err(too_long(&self.operation));
            }
            body.extend_from_slice(&bytes);
        }
        let status = self.response.status().as_u16();
        let headers = std::mem::take(self.response.headers_mut());
        Ok(Answer { status, headers, body: body.freeze(), operation: self.operation })
    }
}

/// The innermost cause: reqwest's own message only says that something failed, and where.
pub(super) fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
