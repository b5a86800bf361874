//! The journeys: one file per thing a user does, on top of store, tree, sync, net and instance.
//!
//! A command is a [`Request`] with a [`Context`], run on an [`App`] by [`run`], and says how it goes through
//! [`Events`]. Whether that happens in the command's own process or in a node at the other end of a socket
//! (`control`) makes no difference to a journey.

mod accounts;
pub mod apply;
pub mod backend;
pub mod capture;
mod clock;
pub mod commit;
pub mod comparing;
pub mod conflicts;
pub mod context;
pub mod control;
mod copybook;
pub mod daemon;
pub mod delete;
pub mod diff;
pub mod events;
pub mod fetch;
pub mod held;
pub mod history;
pub mod home;
pub mod inject;
pub mod inspect;
pub mod instance;
mod inviter;
pub mod journal;
pub mod ledger;
pub mod listen;
pub mod maintenance;
pub mod memory;
pub mod merge;
pub mod merging;
pub mod node;
pub mod pull;
pub mod push;
pub mod put;
pub mod reach;
mod rebuild;
pub mod request;
pub mod resolve;
pub mod roots;
pub mod services;
pub mod state;
pub mod status;
pub mod strategy;
pub mod target;
pub mod team;
pub mod undo;
pub mod versions;
pub mod views;
pub mod withholding;

pub use context::Context;
pub use events::Events;
pub use home::Home;
pub use request::{Journey, Reply, Request, run};
pub use state::App;

#[cfg(test)]
mod tests;
