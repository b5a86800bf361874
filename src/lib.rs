//! peapod shares snapshots of a local cloud emulator's state straight between teammates.

pub mod app;
pub mod cli;
pub mod core;
pub mod error;
pub mod instance;
pub mod limits;
pub mod net;
pub mod store;
pub mod sync;
pub mod tree;

pub use error::{Error, Result};
