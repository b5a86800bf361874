//! The journeys through the program, against real emulators: what is promised about an instance's memory, about
//! strategies, undo, crashes, teammates and hostile surroundings.

#[path = "../common/mod.rs"]
mod common;

mod cloud;
mod crash;
mod door;
mod hostile;
mod memory;
mod program;
mod strategies;
mod two_nodes;
mod undo;
