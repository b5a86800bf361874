//! Where a service works, and the calls it makes from there.

use std::fmt::Display;
use std::future::Future;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value as Json;

use super::account::Names;
use super::client::Client;
use super::errors::ApiError;
use super::ids::Ids;
use super::quirks::Emulator;
use super::request::{Api, Payload, Protocol, Request};
use crate::core::address::Address;
use crate::core::value::Value;
use crate::core::version::Skip;
use crate::error::{Error, Kind, Result};
use crate::instance::Sink;
use crate::limits;

/// Where a service works: with which client, in which account and region, on which make of emulator.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Sends its calls.
    pub client: &'a Client,
    /// The service, as it stands in addresses.
    pub service: &'static str,
    /// The region that requests are signed for and that stands in addresses; `global` for a service without regions.
    pub region: &'a str,
    /// The account in whose name it calls: twelve digits.
    pub account: &'a str,
    /// That account as it stands in addresses: [`SELF_ACCOUNT`](crate::core::address::SELF_ACCOUNT) for the caller's own.
    pub label: &'a str,
    /// The caller's own account, for which `self` stands in references whoever calls.
    pub own: &'a str,
    /// Who answers.
    pub emulator: Emulator,
    /// The ids that the instance generated, as far as they are known.
    pub ids: &'a Ids,
}

impl<'a> Scope<'a> {
    /// An action with a JSON body.
    pub async fn json(&self, api: &Api, action: &str, body: Json) -> Result<Json, ApiError> {
        self.call(Request::json(api, action, body)).await
    }

    /// An action with form fields; gives the content of `<ActionResult>` (EC2: of the root element).
    pub async fn query(&self, api: &Api, action: &str, fields: &[(&str, &str)]) -> Result<Json, ApiError> {
        self.call(Request::form(api, action, fields)).await
    }

    /// Sends a request and reads its answer in its protocol; null if it is empty.
    pub async fn call(&self, request: Request) -> Result<Json, ApiError> {
        let (protocol, result) = (request.api.protocol, format!("{}Result", request.action));
        let answer = self.client.send(request, self.region).await?;
        match protocol {
            Protocol::Json { .. } => answer.json(),
            Protocol::Query { bare: true, .. } => answer.xml(),
            Protocol::Query { .. } => Ok(answer.xml()?.get_mut(&result).map(Json::take).unwrap_or_default()),
            Protocol::Rest => answer.either(),
        }
    }

    /// Sends a request whose answer says nothing but that it is done.
    pub async fn run(&self, request: Request) -> Result<(), ApiError> {
        self.client.send(request, self.region).await.map(|_| ())
    }

    /// A listing that comes in pages: `ask` is what a request calls the token, `told` what an answer does.
    pub fn pages(&self, request: Request, ask: &'static str, told: &'static str) -> Pages<'a> {
        Pages { scope: *self, request: Some(request), ask, told, count: 0, token: Json::Null }
    }

    /// The address of one of this service's resources here.
    pub fn address(&self, kind: &str, name: &str) -> Address {
        Address::resource(self.label, self.region, self.service, kind, name)
    }

    /// Notes the id that the instance generated for the resource at this address.
    pub fn learn(&self, address: &Address, id: &str) {
        self.ids.learn(address, id);
    }

    /// The id that the instance generated for the resource at this address.
    pub fn id(&self, address: &Address) -> Option<String> {
        self.ids.of(address)
    }

    /// Notes that what lies under these leading parts of an address could not be captured.
    pub fn skip(&self, sink: &dyn Sink, prefix: &[String], reason: impl Display) {
        sink.skip(Skip { prefix: prefix.to_vec(), reason: reason.to_string() });
    }

    /// Sums up what capturing each kind of a service's resources came to: a kind that failed is noted as skipped, so
    /// that it costs no other; only an instance that is gone ends it.
    pub fn each_kind<const N: usize>(&self, sink: &dyn Sink, kinds: [(&str, Result<()>); N]) -> Result<()> {
        for (kind, result) in kinds {
            match result {
                Err(error) if is_gone(&error) => return Err(error),
                Err(error) => {
                    let prefix = self.address(kind, "");
                    self.skip(sink, prefix.parts().get(..4).unwrap_or_default(), error.chain());
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Does the same for each thing found, several at a time. One that fails is noted as skipped under its address;
    /// only an instance that is gone ends it.
    pub async fn each<T, F, W>(&self, sink: &dyn Sink, found: Vec<(Address, T)>, work: F) -> Result<()>
    where
        F: Fn(Address, T) -> W,
        W: Future<Output = Result<()>> + Send,
    {
        let mut waiting = found.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < limits::INSTANCE_REQUESTS
                && let Some((address, thing)) = waiting.next()
            {
                let done = work(address.clone(), thing);
                running.push(async move { (address, done.await) });
            }
            match running.next().await {
                None => return Ok(()),
                Some((_, Ok(()))) => {}
                Some((_, Err(error))) if is_gone(&error) => return Err(error),
                Some((address, Err(error))) => self.skip(sink, address.parts(), error.chain()),
            }
        }
    }

    fn names(&self) -> Names<'_> {
        let Scope { client, own, label, region, ids, .. } = *self;
        Names { account: own, endpoint: client.endpoint(), ids, label, region }
    }

    /// A configuration's text with ARNs and the instance's URLs made independent of the instance.
    pub fn portable_text(&self, text: &str) -> String {
        self.names().portable(text)
    }

    /// What [`Scope::portable_text`] made, for this instance.
    pub fn local_text(&self, text: &str) -> String {
        self.names().local(text)
    }

    /// [`Scope::portable_text`] on every text in a value.
    pub fn portable(&self, value: &Value) -> Value {
        value.map_text(&|text| self.portable_text(text))
    }

    /// [`Scope::local_text`] on every text in a value.
    pub fn local(&self, value: &Value) -> Value {
        value.map_text(&|text| self.local_text(text))
    }

    /// A JSON document that AWS keeps as a string (a policy), as a canonical, portable value.
    pub fn document(&self, text: &str) -> Value {
        self.names().document(text)
    }

    /// The string of a value that [`Scope::document`] made, for this instance.
    pub fn document_text(&self, value: &Value) -> String {
        self.names().document_text(value)
    }
}

/// Whether an error says that the instance itself is gone, so that going on makes no sense.
pub(super) fn is_gone(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<ApiError>().is_some_and(ApiError::is_gone) {
            return true;
        }
        cause = inner.source();
    }
    error.kind() == Kind::NotFound
}

/// The pages of a listing, see [`Scope::pages`].
pub struct Pages<'a> {
    scope: Scope<'a>,
    request: Option<Request>,
    ask: &'static str,
    told: &'static str,
    count: usize,
    token: Json,
}

impl Pages<'_> {
    /// The next page; none after the last. A listing that repeats its token is an error, not an endless loop.
    pub async fn next(&mut self) -> Result<Option<Json>, ApiError> {
        let Some(request) = self.request.take() else { return Ok(None) };
        let again = request.copy();
        let page = self.scope.call(request).await?;
        self.go_on(again, &page[self.told])?;
        Ok(Some(page))
    }

    /// Gives each element of the next page's array `name` to `work`, holding one at a time; false after the last page.
    pub async fn each(&mut self, name: &str, work: &mut (dyn FnMut(Json) -> Result<()> + Send)) -> Result<bool> {
        let Some(request) = self.request.take() else { return Ok(false) };
        let again = request.copy();
        let answer = self.scope.client.send(request, self.scope.region).await?;
        let rest = answer.each(name, work)?;
        self.go_on(again, &rest[self.told])?;
        Ok(true)
    }

    /// Makes the request of the page after one that told this token.
    fn go_on(&mut self, request: Option<Request>, token: &Json) -> Result<(), ApiError> {
        let Some(request) = request.filter(|_| !token.is_null() && token.as_str() != Some("")) else { return Ok(()) };
        self.count += 1;
        if *token == self.token || self.count > limits::INSTANCE_PAGES {
            return Err(ApiError::broken(&request.operation(), "the listing does not end"));
        }
        self.token = token.clone();
        self.request = Some(request.with_token(self.ask, token));
        Ok(())
    }
}

impl Request {
    /// The same request, if its body can be sent twice.
    fn copy(&self) -> Option<Request> {
        let payload = match &self.payload {
            Payload::None => Payload::None,
            Payload::Json(json) => Payload::Json(json.clone()),
            Payload::Form(fields) => Payload::Form(fields.clone()),
            Payload::Bytes(bytes) => Payload::Bytes(bytes.clone()),
            Payload::Stream(..) => return None,
        };
        let Request { api, method, path, action, query, headers, idempotent, .. } = self;
        Some(Request {
            api: *api,
            method: method.clone(),
            path: path.clone(),
            action: action.clone(),
            query: query.clone(),
            headers: headers.clone(),
            payload,
            idempotent: *idempotent,
        })
    }

    fn with_token(mut self, name: &str, token: &Json) -> Request {
        let text = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
        let set = |fields: &mut Vec<(String, String)>| {
            fields.retain(|(field, _)| field != name);
            fields.push((name.to_owned(), text));
        };
        match &mut self.payload {
            Payload::Json(Json::Object(fields)) if !self.action.is_empty() => {
                fields.insert(name.to_owned(), token.clone());
            }
            Payload::Form(fields) => set(fields),
            _ => set(&mut self.query),
        }
        self
    }
}

/// Looks again until two looks agree, at most [`limits::RECAPTURES`] times more. Says whether they did.
pub async fn settled<T, F, W>(look: F) -> Result<(T, bool)>
where
    T: PartialEq,
    F: Fn() -> W,
    W: Future<Output = Result<T>>,
{
    let mut last = look().await?;
    for _ in 0..limits::RECAPTURES {
        let now = look().await?;
        if now == last {
            return Ok((now, true));
        }
        last = now;
    }
    Ok((last, false))
}
