//! What the tests share: real emulators, and a place to keep what a capture finds.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod captured;
pub mod emulators;
