//! Arguments that several commands share.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::app::Context;
use crate::app::services;
use crate::app::strategy::{OnConflict, Strategy};
use crate::core::reference::Reference;
use crate::core::select::{Selection, Selector};
use crate::core::version::check_name;
use crate::error::{Error, Result};

/// A pod, by position or by `--name`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Pod {
    /// The pod
    #[arg(value_name = "NAME")]
    pod: Option<String>,
    /// The pod, said the long way
    #[arg(long = "name", value_name = "NAME")]
    name: Option<String>,
}

impl Pod {
    /// The pod's name.
    pub(crate) fn name(&self) -> Result<String> {
        let name = self.given();
        if name.contains('@') {
            return Err(Error::usage(format!("{name:?} names a version; this command takes a pod"))
                .hint("leave out the part from the @ on"));
        }
        check_name("a pod's name", name)?;
        Ok(name.to_owned())
    }

    fn given(&self) -> &str {
        self.pod.as_deref().or(self.name.as_deref()).unwrap_or_default()
    }
}

/// A pod or one of its versions, by position or by `--name`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct PodOrVersion {
    /// The pod, or one version: NAME@3 (the third), NAME@1f9c (a hash), NAME@MEMBER (a member's head), NAME@~1 (the one
    /// before your head)
    #[arg(value_name = "NAME[@REF]")]
    pod: Option<String>,
    /// The same, said the long way
    #[arg(long = "name", value_name = "NAME[@REF]")]
    name: Option<String>,
}

impl PodOrVersion {
    /// What it names.
    pub(crate) fn reference(&self) -> Result<Reference> {
        self.pod.as_deref().or(self.name.as_deref()).unwrap_or_default().parse()
    }
}

/// A version beside one of `pod`: `@3` is that pod's, `NAME@3` any pod's.
pub(crate) fn beside(pod: &str, text: &str) -> Result<Reference> {
    if text.starts_with('@') { format!("{pod}{text}").parse() } else { text.parse() }
}

/// Which instance a command means.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instance")]
pub(crate) struct Instance {
    /// The instance: a URL, or dir:PATH for a directory [default: $PEAPOD_INSTANCE, then $AWS_ENDPOINT_URL, then http://localhost:4566]
    #[arg(long = "instance", value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// How far away an instance may be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instance")]
pub(crate) struct Reach {
    /// Allow an instance that is not on this machine
    #[arg(long)]
    allow_remote: bool,
}

impl Instance {
    /// The caller's side of a command on this instance.
    pub(crate) async fn context(&self) -> Result<Context> {
        self.reach.context(self.url.clone()).await
    }
}

impl Reach {
    /// The caller's side of a command on the instance at `url`, or the one that the environment names.
    pub(crate) async fn context(&self, url: Option<String>) -> Result<Context> {
        Context::resolve(url, self.allow_remote).await
    }
}

/// Which part of which instance a command means. Flattened last: clap puts what follows under its headings.
#[derive(Debug, Args)]
pub(crate) struct There {
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    instance: Instance,
}

impl There {
    /// The options that select, for those of a command that leave nothing to select.
    pub(crate) const SELECTORS: [&'static str; 5] = ["service", "account", "region", "only", "except"];

    /// The selection, of services that can be captured and put in.
    pub(crate) fn selection(&self) -> Result<Selection> {
        let selection = self.select.selection()?;
        services::require_captured(&selection)?;
        Ok(selection)
    }

    /// See [`Instance::context`].
    pub(crate) async fn context(&self) -> Result<Context> {
        self.instance.context().await
    }
}

/// Which part of a state a command means.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct Select {
    /// Only these services: s3,sqs
    #[arg(long, value_name = "SERVICES", value_delimiter = ',')]
    service: Vec<String>,
    /// Only these accounts: twelve digits, or self
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    account: Vec<String>,
    /// Only these regions
    #[arg(long, value_name = "REGIONS", value_delimiter = ',')]
    region: Vec<String>,
    /// Only addresses that match; may be given more than once
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// No addresses that match; may be given more than once
    #[arg(long, value_name = "GLOB")]
    except: Vec<String>,
}

impl Select {
    /// The selection, with its globs checked.
    pub(crate) fn selection(&self) -> Result<Selection> {
        let account = |text: &str| text == "self" || (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()));
        if let Some(odd) = self.account.iter().find(|text| !account(text)) {
            return Err(Error::usage(format!("{odd:?} is not an account")).hint("twelve digits, or self"));
        }
        let selection = Selection {
            services: self.service.clone(),
            accounts: self.account.clone(),
            regions: self.region.clone(),
            only: self.only.clone(),
            except: self.except.clone(),
        };
        Selector::new(selection.clone())?;
        Ok(selection)
    }
}

/// For commands that ask before they do what can't be taken back.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Don't ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// What goes into an instance, and how: what `inject` and `pull` share.
#[derive(Debug, Args)]
pub(crate) struct How {
    #[command(flatten)]
    pub(crate) pod: PodOrVersion,
    /// overwrite: exactly the pod; account-region: exactly the pod in each account, region and service it has; basic:
    /// only what is missing; deep: both sides' changes
    #[arg(long, value_name = "STRATEGY", default_value = "deep", value_parser = named::<Strategy>(&Strategy::NAMES.map(|(name, _)| name)))]
    pub(crate) strategy: Strategy,
    /// Where both sides changed: fail and list it, or let the pod or the instance win
    #[arg(long, value_name = "WINNER", default_value = "fail", value_parser = named::<OnConflict>(&OnConflict::NAMES.map(|(name, _)| name)))]
    pub(crate) on_conflict: OnConflict,
    /// Leave what acts by itself (event source mappings, notifications) switched off
    #[arg(long)]
    pub(crate) paused: bool,
    /// Fail, and take everything back, if the instance does not keep something
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) there: There,
}

/// A parser of one of a few names, which help and completions list.
pub(crate) fn named<T>(names: &[&'static str]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names.to_vec()).try_map(|name| name.parse::<T>())
}

/// A duration as people write it: `30s`, `5m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error} (say 30s, 5m or 1h30m)"))
}
