//! Which services a selection may name: a misspelt one would select nothing without a word.

use crate::core::name::Name;
use crate::core::select::Selection;
use crate::error::{Error, Result};
use crate::instance::{aws, files};
use crate::store::Store;
use crate::tree;

/// Fails unless this release captures every service that is named; for what is done to an instance.
pub fn require_captured(selection: &Selection) -> Result<()> {
    unknown(selection).first().map_or(Ok(()), |service| Err(no_such(service, "peapod captures")))
}

/// The same for states at rest: they may also hold services of another release, which may be named then.
pub fn require_held(store: &Store, roots: &[Name], selection: &Selection) -> Result<()> {
    let mut missing = unknown(selection);
    for root in roots {
        if missing.is_empty() {
            return Ok(());
        }
        for entry in tree::scan(store, root, &[])? {
            let address = entry?.address;
            missing.retain(|service| service != address.service());
        }
    }
    missing.first().map_or(Ok(()), |service| Err(no_such(service, "it is not in this pod, and peapod captures")))
}

fn unknown(selection: &Selection) -> Vec<String> {
    let known = known();
    selection.services.iter().filter(|service| !known.contains(&service.as_str())).cloned().collect()
}

fn known() -> Vec<&'static str> {
    aws::services().iter().map(|service| service.name()).chain(files::SERVICES).collect()
}

fn no_such(service: &str, captures: &str) -> Error {
    Error::usage(format!("{service:?} is no service that this peapod knows"))
        .hint(format!("{captures} {}", known().join(", ")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::address::Address;
    use crate::core::record::Record;
    use crate::error::Kind;
    use crate::tree::{Entry, Leaf};

    fn naming(services: &[&str]) -> Selection {
        Selection { services: services.iter().map(|service| (*service).to_owned()).collect(), ..Default::default() }
    }

    #[test]
    fn a_misspelt_service_is_told_with_those_there_are() {
        assert!(require_captured(&naming(&[])).is_ok() && require_captured(&naming(&["s3", "sqs"])).is_ok());
        let error = require_captured(&naming(&["s3", "s33"])).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.message().contains("s33"));
        let hint = error.hint_text().unwrap();
        assert!(["s3, ", "iam, ", "lambda, ", "sqs, "].iter().all(|name| hint.contains(name)), "{hint}");
    }

    #[test]
    fn a_service_of_another_release_may_be_named_where_a_pod_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Duration::ZERO).unwrap();
        let address = Address::resource("self", "r", "timemachine", "kind", "x");
        let leaf = Leaf::new(&store, &address, &Record::new([].into())).unwrap();
        let root = tree::build(&store, &mut [Ok(Entry { address, leaf })].into_iter()).unwrap();
        let empty = tree::empty(&store).unwrap();
        assert!(require_held(&store, &[empty, root], &naming(&["s3", "timemachine"])).is_ok());
        let error = require_held(&store, &[empty], &naming(&["timemachine"])).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(require_captured(&naming(&["timemachine"])).is_err());
    }
}
