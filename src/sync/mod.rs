//! What nodes of a team tell each other and what they believe of it: state machines without I/O.
//!
//! Messages and the time go in; what to store, to answer, to gossip and to report comes out. `net` carries the
//! messages, the app keeps what is to be stored.

pub mod admission;
#[cfg(test)]
mod attacks;
pub mod compare;
pub mod decide;
pub mod fetch;
pub mod heads;
#[cfg(test)]
mod intruders;
pub mod join;
pub mod message;
mod parked;
pub mod report;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sim;
