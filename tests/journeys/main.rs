//! The journeys through the program, against real emulators: what is promised about an instance's memory, about
//! strategies, undo, crashes, teammates and hostile surroundings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod cloud;
mod crash;
mod directories;
mod door;
mod hostile;
mod law;
mod memory;
mod program;
mod strategies;
mod two_nodes;
mod undo;
mod withheld;
