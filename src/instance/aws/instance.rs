//! [`Aws`]: all services of one endpoint as one [`Instance`].

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};

use super::client::Client;
use super::detect::{Detected, detect};
use super::ids::Ids;
use super::quirks::Emulator;
use super::regions::regions;
use super::reset;
use super::scope::{Scope, is_gone};
use super::sign::Login;
use super::{Service, endpoint, services};
use crate::core::address::{Address, GLOBAL_REGION, SELF_ACCOUNT};
use crate::core::content::Contents;
use crate::core::record::{Body, Record};
use crate::core::select::Selector;
use crate::core::version::Skip;
use crate::error::{Error, Result};
use crate::instance::{Identity, Instance, Sink, Stage, Step};
use crate::limits;

/// How an endpoint is to be used.
#[derive(Debug, Clone)]
pub struct Options {
    /// Take an endpoint on another machine. Real AWS is refused all the same.
    pub allow_remote: bool,
    /// Whose calls they are.
    pub login: Login,
}

/// Ids and what stands for them; none if a service could not be asked.
type Known = Option<Vec<(Address, String)>>;

/// An emulator that speaks the public AWS API.
pub struct Aws {
    client: Client,
    detected: Detected,
    services: Vec<Box<dyn Service>>,
    ids: Ids,
}

impl Aws {
    /// Connects to `url` and finds out who answers.
    ///
    /// Refused ([`crate::error::Kind::Denied`]): real AWS, and another machine unless it is allowed.
    /// [`crate::error::Kind::NotFound`] when nobody listens, or another kind of server does.
    pub async fn connect(url: &str, options: Options) -> Result<Aws> {
        let endpoint = endpoint::parse(url, options.allow_remote)?;
        let client = Client::new(endpoint, options.login)?;
        let detected = detect(&client).await?;
        Ok(Aws { client, detected, services: services(), ids: Ids::default() })
    }

    /// Who answers.
    pub fn emulator(&self) -> Emulator {
        self.detected.emulator
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn scope<'a>(&'a self, service: &'static str, region: &'a str) -> Scope<'a> {
        let Aws { client, detected, ids, .. } = self;
        Scope { client, service, region, account: &detected.account, emulator: detected.emulator, ids }
    }

    /// The service that an address names.
    fn service(&self, address: &Address) -> Option<&dyn Service> {
        self.services.iter().find(|service| service.name() == address.service()).map(AsRef::as_ref)
    }

    /// Why the instance does not offer a service; none if it does, or if there is no telling.
    async fn refusal(&self, service: &dyn Service) -> Result<Option<String>> {
        let Some(request) = service.probe() else { return Ok(None) };
        match self.scope(service.name(), self.client.home_region()).call(request).await {
            Err(error) if error.is_gone() => Err(error.into()),
            Err(error) if error.is_unsupported() => {
                Ok(Some(format!("{} does not offer it: {error}", self.detected.emulator.name())))
            }
            Err(error) => Ok(Some(error.to_string())),
            Ok(_) => Ok(None),
        }
    }

    /// Finds out which ids the instance generated.
    async fn learn_ids(&self) -> Result<()> {
        let mut known = Vec::new();
        let at_home = self.services.iter().map(|service| {
            let home = if service.is_global() { GLOBAL_REGION } else { self.client.home_region() };
            (service.as_ref(), home.to_owned())
        });
        let mut elsewhere = Vec::new();
        for (service, found) in self.ids_of_all(at_home.collect()).await? {
            // One that is not offered at home is not asked for in other regions.
            if !service.is_global() && found.is_some() {
                let regions = regions(self.client.home_region()).into_iter().skip(1);
                elsewhere.extend(regions.map(|region| (service, region)));
            }
            known.extend(found.unwrap_or_default());
        }
        for (_, found) in self.ids_of_all(elsewhere).await? {
            known.extend(found.unwrap_or_default());
        }
        self.ids.renew(known);
        Ok(())
    }

    /// [`Aws::ids_of`] for several services and regions at a time.
    async fn ids_of_all<'s>(&self, asked: Vec<(&'s dyn Service, String)>) -> Result<Vec<(&'s dyn Service, Known)>> {
        let mut waiting = asked.into_iter();
        let mut running = FuturesUnordered::new();
        let mut answers = Vec::new();
        loop {
            while running.len() < limits::INSTANCE_REQUESTS
                && let Some((service, region)) = waiting.next()
            {
                running.push(async move { Ok::<_, Error>((service, self.ids_of(service, &region).await?)) }.boxed());
            }
            match running.next().await {
                None => return Ok(answers),
                Some(answer) => answers.push(answer?),
            }
        }
    }

    /// The ids of a service in a region; none if they can't be had, which capturing the service will say.
    async fn ids_of(&self, service: &dyn Service, region: &str) -> Result<Known> {
        match service.ids(&self.scope(service.name(), region)).await {
            Err(error) if is_gone(&error) => Err(error),
            answer => Ok(answer.ok()),
        }
    }

    /// Asks for the ids that a step refers to and that are not known yet; gives those that are not there.
    async fn look_up(&self, step: &Step) -> Result<Vec<Address>> {
        let records = [&step.before, &step.after];
        let attributes = records.into_iter().flatten().map(|record| self.ids.unknown(&record.attributes));
        let mut unknown: BTreeSet<Address> = attributes.flatten().collect();
        let asked: Vec<Address> = unknown.iter().filter(|address| self.ids.worth_asking(address)).cloned().collect();
        for address in asked {
            if self.ids.of(&address).is_none()
                && let Some(service) = self.service(&address)
            {
                for (found, id) in self.ids_of(service, address.region()).await?.unwrap_or_default() {
                    self.ids.learn(&found, &id);
                }
            }
            if self.ids.of(&address).is_none() {
                self.ids.in_vain(&address);
            }
        }
        unknown.retain(|address| self.ids.of(address).is_none());
        Ok(unknown.into_iter().collect())
    }

    /// Captures one service in one region; a failure costs that much and no more.
    async fn capture_one(&self, service: &dyn Service, region: &str, sink: &dyn Sink) -> Result<()> {
        match service.capture(&self.scope(service.name(), region), sink).await {
            Err(error) if !is_gone(&error) => {
                self.skip(service, region, sink, &error.chain());
                Ok(())
            }
            result => result,
        }
    }

    /// Notes that nothing of a service is known in a region, or in all where one listing spans them.
    fn skip(&self, service: &dyn Service, region: &str, sink: &dyn Sink, reason: &str) {
        let all = if service.spans_regions() { regions(self.client.home_region()) } else { Vec::new() };
        for region in all.iter().map(String::as_str).chain((!service.spans_regions()).then_some(region)) {
            let scope = self.scope(service.name(), region);
            scope.skip(sink, &[SELF_ACCOUNT, region, service.name()].map(str::to_owned), reason);
        }
    }
}

#[async_trait]
impl Instance for Aws {
    fn url(&self) -> &str {
        self.client.endpoint()
    }

    async fn identify(&self) -> Result<Identity> {
        let Detected { emulator, version, account, agent } = detect(&self.client).await?;
        let mut services = Vec::new();
        for service in &self.services {
            let word = match self.refusal(service.as_ref()).await? {
                None => service.partial(emulator, agent == Some(true)).map(str::to_owned),
                refusal => refusal,
            };
            services.push((service.name().to_owned(), word));
        }
        Ok(Identity { emulator: emulator.name().to_owned(), version, account, services })
    }

    fn agent(&self) -> Option<bool> {
        self.detected.agent
    }

    fn regions(&self) -> Vec<String> {
        let mut asked = regions(self.client.home_region());
        asked.push(GLOBAL_REGION.to_owned());
        asked
    }

    async fn capture(&self, selector: &Selector, sink: &dyn Sink) -> Result<()> {
        let selected = Selected { selector, sink };
        self.learn_ids().await?;
        let regions = regions(self.client.home_region());
        let mut waiting = Vec::new();
        for service in &self.services {
            let places = if service.is_global() { vec![GLOBAL_REGION.to_owned()] } else { regions.clone() };
            let wanted = |region: &String| selector.may_match(SELF_ACCOUNT, region, service.name());
            let mut places: Vec<String> = places.into_iter().filter(wanted).collect();
            if !places.is_empty()
                && let Some(refusal) = self.refusal(service.as_ref()).await?
            {
                for region in places.drain(..) {
                    self.skip(service.as_ref(), &region, &selected, &refusal);
                }
            }
            waiting.extend(places.into_iter().map(|region| (service, region)));
        }
        let mut waiting = waiting.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < limits::INSTANCE_REQUESTS
                && let Some((service, region)) = waiting.next()
            {
                let selected = &selected;
                // Boxed: services are deep, and a debug build keeps whole futures on the stack.
                running.push(async move { self.capture_one(service.as_ref(), &region, selected).await }.boxed());
            }
            match running.next().await {
                None => return Ok(()),
                Some(done) => done?,
            }
        }
    }

    fn stage(&self, address: &Address) -> Stage {
        self.service(address).map_or(Stage::Resource, |service| service.stage(address))
    }

    async fn apply(&self, step: &Step, contents: &dyn Contents) -> Result<()> {
        let address = &step.address;
        let service = self.service(address).ok_or_else(|| {
            Error::denied(format!("this peapod does not know the service {}", address.service()))
                .hint("a newer peapod made the pod: update this one")
        })?;
        if address.account() != SELF_ACCOUNT && address.account() != self.detected.account {
            return Err(Error::denied(format!("{address} belongs to an account that is not the caller's"))
                .hint("use credentials of that account, or select other records"));
        }
        let unknown = self.look_up(step).await?;
        let applied = service.apply(&self.scope(service.name(), address.region()), step, contents).await;
        applied.map_err(|error| match unknown.first() {
            Some(other) => error.hint(format!("it refers to {other}, which the instance does not have")),
            None => error,
        })
    }

    async fn reset(&self) -> Result<()> {
        reset::reset(self.client(), self.emulator(), self).await
    }
}

/// Passes on what was selected.
struct Selected<'a> {
    selector: &'a Selector,
    sink: &'a dyn Sink,
}

impl Sink for Selected<'_> {
    fn wants(&self, address: &Address) -> bool {
        self.selector.matches(address) && self.sink.wants(address)
    }

    fn record(&self, address: Address, record: Record) -> Result<()> {
        if self.selector.matches(&address) { self.sink.record(address, record) } else { Ok(()) }
    }

    fn skip(&self, skip: Skip) {
        self.sink.skip(skip);
    }

    fn mark(&self, address: &Address, mark: &str) {
        self.sink.mark(address, mark);
    }

    fn contents(&self) -> &dyn Contents {
        self.sink.contents()
    }

    fn known_body(&self, address: &Address, fingerprint: &str) -> Option<Body> {
        self.sink.known_body(address, fingerprint)
    }

    fn remember_body(&self, address: &Address, fingerprint: &str, body: &Body) {
        self.sink.remember_body(address, fingerprint, body);
    }
}
