//! How a version goes into an instance: what the instance shall look like, and who wins a conflict.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tree::Settle;

/// What the instance shall look like afterwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Exactly the pod.
    Overwrite,
    /// Exactly the pod in each (account, region, service) that the pod has; others untouched.
    AccountRegion,
    /// What is there, plus the resources that are missing.
    Basic,
    /// Both sides' changes since their base.
    #[default]
    Deep,
}

impl Strategy {
    /// Every strategy by its name on the command line.
    pub const NAMES: [(&'static str, Strategy); 4] = [
        ("overwrite", Strategy::Overwrite),
        ("account-region", Strategy::AccountRegion),
        ("basic", Strategy::Basic),
        ("deep", Strategy::Deep),
    ];
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Strategy> {
        by_name(&Self::NAMES, "a strategy", text)
    }
}

/// What happens where both sides changed the same record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The conflicts are listed and nothing is changed.
    #[default]
    Fail,
    /// The pod's record counts.
    Pod,
    /// The instance's record counts.
    Instance,
}

impl OnConflict {
    /// Every choice by its name on the command line.
    pub const NAMES: [(&'static str, OnConflict); 3] =
        [("fail", OnConflict::Fail), ("pod", OnConflict::Pod), ("instance", OnConflict::Instance)];

    /// The same for a merge whose `ours` is the instance and whose `theirs` is the pod.
    pub fn settle(self) -> Settle {
        match self {
            OnConflict::Fail => Settle::List,
            OnConflict::Pod => Settle::Theirs,
            OnConflict::Instance => Settle::Ours,
        }
    }
}

impl FromStr for OnConflict {
    type Err = Error;

    fn from_str(text: &str) -> Result<OnConflict> {
        by_name(&Self::NAMES, "a choice for conflicts", text)
    }
}

fn by_name<T: Copy>(names: &[(&str, T)], what: &str, text: &str) -> Result<T> {
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| Error::usage(format!("\"{text}\" is not {what}")))
}
