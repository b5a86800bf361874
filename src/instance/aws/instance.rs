//! [`Aws`]: all services of one endpoint as one [`Instance`].

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};

use super::client::Client;
use super::detect::{Detected, calls_as, detect};
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
use crate::error::{Error, Kind, Result};
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
    /// Accounts besides the caller's own that captures ask.
    visited: RwLock<BTreeSet<String>>,
}

/// An account as it is called: as it stands in addresses, its digits, and who calls in its name.
struct Account {
    label: String,
    number: String,
    client: Client,
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
        Ok(Aws { client, detected, services: services(), ids: Ids::default(), visited: RwLock::default() })
    }

    /// Who answers.
    pub fn emulator(&self) -> Emulator {
        self.detected.emulator
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn scope<'a>(&'a self, account: &'a Account, service: &'static str, region: &'a str) -> Scope<'a> {
        Scope {
            client: &account.client,
            service,
            region,
            account: &account.number,
            label: &account.label,
            own: &self.detected.account,
            emulator: self.detected.emulator,
            ids: &self.ids,
        }
    }

    /// The caller's own account.
    fn own(&self) -> Account {
        let (label, number) = (SELF_ACCOUNT.to_owned(), self.detected.account.clone());
        Account { label, number, client: self.client.clone() }
    }

    /// The account that stands so in addresses. Refused where the instance has no such account.
    async fn account(&self, label: &str) -> Result<Account> {
        if label == SELF_ACCOUNT {
            return Ok(self.own());
        }
        if label.len() != 12 || !label.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::denied(format!("\"{label}\" is no account: it has twelve digits")));
        }
        if label == self.detected.account {
            return Err(Error::denied(format!(
                "{label} is the caller's own account here, which addresses call {SELF_ACCOUNT}"
            ))
            .hint("use credentials of another account: `test` is nobody's in particular"));
        }
        let client = self.client.of_account(label)?;
        match calls_as(&client, label).await {
            Ok(true) => Ok(Account { label: label.to_owned(), number: label.to_owned(), client }),
            Err(error) if error.is_gone() => Err(error.into()),
            Ok(false) | Err(_) => {
                let name = self.detected.emulator.name();
                Err(Error::denied(format!("{name} has no account {label}: every caller is {}", self.detected.account)))
            }
        }
    }

    /// The accounts that a capture asks, and why it can't ask some.
    async fn asked(&self, selector: &Selector, sink: &dyn Sink) -> Result<Vec<Account>> {
        let mut accounts = Vec::new();
        let visited = self.accounts();
        for label in selector.accounts().unwrap_or(&visited) {
            match self.account(label).await {
                Ok(account) => accounts.push(account),
                Err(error) if error.kind() == Kind::Denied => {
                    sink.skip(Skip { prefix: vec![label.clone()], reason: error.chain() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(accounts)
    }

    /// The service that an address names.
    fn service(&self, address: &Address) -> Option<&dyn Service> {
        self.services.iter().find(|service| service.name() == address.service()).map(AsRef::as_ref)
    }

    /// Why the instance does not offer a service; none if it does, or if there is no telling.
    async fn refusal(&self, service: &dyn Service) -> Result<Option<String>> {
        let Some(request) = service.probe() else { return Ok(None) };
        match self.scope(&self.own(), service.name(), self.client.home_region()).call(request).await {
            Err(error) if error.is_gone() => Err(error.into()),
            Err(error) if error.is_unsupported() => {
                Ok(Some(format!("{} does not offer it: {error}", self.detected.emulator.name())))
            }
            Err(error) => Ok(Some(error.to_string())),
            Ok(_) => Ok(None),
        }
    }

    /// Finds out which ids the instance generated in these accounts, at home and in the regions that are selected.
    async fn learn_ids(&self, accounts: &[Account], selector: &Selector) -> Result<()> {
        let mut known = Vec::new();
        let services = || self.services.iter().map(AsRef::as_ref);
        let at_home = accounts.iter().flat_map(|account| {
            services().map(move |service| {
                let home = if service.is_global() { GLOBAL_REGION } else { self.client.home_region() };
                Place { account, service, region: home.to_owned() }
            })
        });
        let mut others = regions(self.client.home_region()).split_off(1);
        others.retain(|region| {
            let may = |account: &Account, service: &str| selector.may_match(&account.label, region, service);
            accounts.iter().any(|account| services().any(|service| may(account, service.name())))
        });
        let mut elsewhere = Vec::new();
        for (Place { account, service, .. }, found) in self.ids_of_all(at_home.collect()).await? {
            // One that is not offered at home is not asked for in other regions.
            if !service.is_global() && found.is_some() {
                elsewhere.extend(others.iter().map(|region| Place { account, service, region: region.clone() }));
            }
            known.extend(found.unwrap_or_default());
        }
        for (_, found) in self.ids_of_all(elsewhere).await? {
            known.extend(found.unwrap_or_default());
        }
        self.ids.renew(known);
        Ok(())
    }

    /// [`Aws::ids_of`] in several places at a time.
    async fn ids_of_all<'s>(&self, asked: Vec<Place<'s>>) -> Result<Vec<(Place<'s>, Known)>> {
        let mut waiting = asked.into_iter();
        let mut running = FuturesUnordered::new();
        let mut answers = Vec::new();
        loop {
            while running.len() < limits::INSTANCE_REQUESTS
                && let Some(place) = waiting.next()
            {
                running.push(
                    async move {
                        let known = self.ids_of(&place).await?;
                        Ok::<_, Error>((place, known))
                    }
                    .boxed(),
                );
            }
            match running.next().await {
                None => return Ok(answers),
                Some(answer) => answers.push(answer?),
            }
        }
    }

    /// The ids of a service in a region; none if they can't be had, which capturing the service will say.
    async fn ids_of(&self, place: &Place<'_>) -> Result<Known> {
        match place.service.ids(&place.scope(self)).await {
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
                && let Some(account) = self.account_if_any(address.account()).await?
            {
                let place = Place { account: &account, service, region: address.region().to_owned() };
                for (found, id) in self.ids_of(&place).await?.unwrap_or_default() {
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

    async fn account_if_any(&self, label: &str) -> Result<Option<Account>> {
        match self.account(label).await {
            Err(error) if error.kind() == Kind::Denied => Ok(None),
            account => account.map(Some),
        }
    }

    /// Captures one service in one region; a failure costs that much and no more.
    async fn capture_one(&self, place: &Place<'_>, sink: &dyn Sink) -> Result<()> {
        match place.service.capture(&place.scope(self), sink).await {
            Err(error) if !is_gone(&error) => {
                self.skip(place, sink, &error.chain());
                Ok(())
            }
            result => result,
        }
    }

    /// Notes that nothing of a service is known in a region, or in all where one listing spans them.
    fn skip(&self, place: &Place<'_>, sink: &dyn Sink, reason: &str) {
        let all = if place.service.spans_regions() { regions(self.client.home_region()) } else { Vec::new() };
        let one = (!place.service.spans_regions()).then_some(&place.region);
        for region in all.iter().chain(one) {
            let prefix = [&place.account.label, region, place.service.name()].map(str::to_owned);
            place.scope(self).skip(sink, &prefix, reason);
        }
    }
}

/// A service in a region of an account.
struct Place<'a> {
    account: &'a Account,
    service: &'a dyn Service,
    region: String,
}

impl Place<'_> {
    fn scope<'s>(&'s self, instance: &'s Aws) -> Scope<'s> {
        instance.scope(self.account, self.service.name(), &self.region)
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

    fn accounts(&self) -> Vec<String> {
        let visited = self.visited.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(SELF_ACCOUNT.to_owned()).chain(visited.iter().cloned()).collect()
    }

    fn visit(&self, accounts: &[String]) {
        let mut visited = self.visited.write().unwrap_or_else(PoisonError::into_inner);
        let others = accounts.iter().filter(|account| *account != SELF_ACCOUNT);
        visited.extend(others.cloned());
        while visited.len() > limits::ACCOUNTS {
            visited.pop_last();
        }
    }

    async fn capture(&self, selector: &Selector, sink: &dyn Sink) -> Result<()> {
        let selected = Selected { selector, sink };
        let accounts = self.asked(selector, sink).await?;
        self.learn_ids(&accounts, selector).await?;
        let regions = regions(self.client.home_region());
        let mut waiting = Vec::new();
        for service in self.services.iter().map(AsRef::as_ref) {
            let places = if service.is_global() { vec![GLOBAL_REGION.to_owned()] } else { regions.clone() };
            let places = accounts.iter().flat_map(|account| {
                let here = |region: &String| Place { account, service, region: region.clone() };
                places.iter().map(here)
            });
            let wanted =
                |place: &Place<'_>| selector.may_match(&place.account.label, &place.region, place.service.name());
            let mut places: Vec<Place<'_>> = places.filter(wanted).collect();
            if !places.is_empty()
                && let Some(refusal) = self.refusal(service).await?
            {
                for place in places.drain(..) {
                    self.skip(&place, &selected, &refusal);
                }
            }
            waiting.extend(places);
        }
        let mut waiting = waiting.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < limits::INSTANCE_REQUESTS
                && let Some(place) = waiting.next()
            {
                let selected = &selected;
                // Boxed: services are deep, and a debug build keeps whole futures on the stack.
                running.push(async move { self.capture_one(&place, selected).await }.boxed());
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
        let account = self.account(address.account()).await?;
        self.visit(&[address.account().to_owned()]);
        let unknown = self.look_up(step).await?;
        let place = Place { account: &account, service, region: address.region().to_owned() };
        let applied = service.apply(&place.scope(self), step, contents).await;
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

    fn withholds_body(&self, address: &Address) -> bool {
        self.sink.withholds_body(address)
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
