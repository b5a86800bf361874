//! Selectors: which addresses a command means.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

use crate::core::address::Address;
use crate::error::{Error, Result};

/// What the user asked for with `--service`, `--account`, `--region`, `--only` and `--except`. Empty lists select all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Services by name.
    pub services: Vec<String>,
    /// Accounts: twelve digits, or `self`.
    pub accounts: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// Globs over printed addresses, of which one must match. `*` matches `/` too.
    pub only: Vec<String>,
    /// Globs over printed addresses, of which none may match.
    pub except: Vec<String>,
}

/// A [`Selection`] with its globs compiled.
#[derive(Debug, Clone)]
pub struct Selector {
    selection: Selection,
    only: GlobSet,
    except: GlobSet,
}

impl Selector {
    /// Compiles the globs.
    pub fn new(selection: Selection) -> Result<Selector> {
        let (only, except) = (globs(&selection.only)?, globs(&selection.except)?);
        Ok(Selector { selection, only, except })
    }

    /// Selects everything.
    pub fn all() -> Selector {
        Selector { selection: Selection::default(), only: GlobSet::empty(), except: GlobSet::empty() }
    }

    /// The same selection, of these services alone.
    #[must_use]
    pub fn of_services(&self, services: Vec<String>) -> Selector {
        let selection = Selection { services, ..self.selection.clone() };
        Selector { selection, ..self.clone() }
    }

    /// The accounts that are named, if any are.
    pub fn accounts(&self) -> Option<&Vec<String>> {
        Some(&self.selection.accounts).filter(|accounts| !accounts.is_empty())
    }

    /// Whether it selects everything.
    pub fn is_all(&self) -> bool {
        self.selection == Selection::default()
    }

    /// As the command line says it: `--service s3,sqs --only 'GLOB'`.
    pub fn words(&self) -> String {
        let Selection { services, accounts, regions, only, except } = &self.selection;
        let lists = [("service", services), ("account", accounts), ("region", regions)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let lists = lists.map(|(option, list)| format!("--{option} {}", list.join(",")));
        let globs = only.iter().map(|glob| format!("--only '{glob}'"));
        let globs = globs.chain(except.iter().map(|glob| format!("--except '{glob}'")));
        lists.chain(globs).collect::<Vec<_>>().join(" ")
    }

    /// Whether a record at this address is meant.
    ///
    /// A glob that matches a resource means its items too: `--only '*/bucket/b1'` takes the objects along.
    pub fn matches(&self, address: &Address) -> bool {
        if !self.may_match(address.account(), address.region(), address.service()) {
            return false;
        }
        if self.selection.only.is_empty() && self.selection.except.is_empty() {
            return true;
        }
        let (printed, owner) = (address.to_string(), address.owner().map(|owner| owner.to_string()));
        let hit = |set: &GlobSet| set.is_match(&printed) || owner.as_ref().is_some_and(|owner| set.is_match(owner));
        (self.selection.only.is_empty() || hit(&self.only)) && !hit(&self.except)
    }

    /// Whether anything of this service may be meant: a capture does not ask for what it would drop.
    pub fn may_match(&self, account: &str, region: &str, service: &str) -> bool {
        let allows = |list: &[String], word: &str| list.is_empty() || list.iter().any(|item| item == word);
        allows(&self.selection.services, service)
            && allows(&self.selection.accounts, account)
            && (allows(&self.selection.regions, region) || region == crate::core::address::GLOBAL_REGION)
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(false).build();
        set.add(glob.map_err(|error| Error::usage(format!("\"{pattern}\" is not a glob")).because(error))?);
    }
    set.build().map_err(|error| Error::usage("the globs are too complex").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_means_what_it_says() {
        let bucket = Address::resource("self", "us-east-1", "s3", "bucket", "b1");
        let object = bucket.item("object", "logs/a.txt");
        let role = Address::resource("self", "global", "iam", "role", "r");
        let select = |selection: Selection| Selector::new(selection).unwrap();
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();

        assert!(Selector::all().matches(&object) && Selector::all().is_all());
        let s3 = select(Selection { services: words(&["s3", "sqs"]), ..Default::default() });
        assert!(s3.matches(&object) && !s3.matches(&role));
        let region = select(Selection { regions: words(&["eu-west-1"]), ..Default::default() });
        assert!(!region.matches(&object) && region.matches(&role));
        let only = select(Selection { only: words(&["*/bucket/b1"]), ..Default::default() });
        assert!(only.matches(&bucket) && only.matches(&object) && !only.matches(&role));
        let except = select(Selection { except: words(&["*/logs/*"]), ..Default::default() });
        assert!(except.matches(&bucket) && !except.matches(&object));
        assert!(Selector::new(Selection { only: words(&["[a"]), ..Default::default() }).is_err());
    }
}
