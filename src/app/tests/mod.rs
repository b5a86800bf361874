//! Proofs of what peapod remembers of instances, over a model in memory: see `properties` and `regressions`.

mod desk;
mod model;
mod properties;
mod regressions;
mod withheld;
mod words;
