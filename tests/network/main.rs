//! The network keeps its promises on real sockets: nodes in one process, each with a swarm of its own, on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A list of ranges to fetch often has one.
#![allow(clippy::single_range_in_vec_init)]

mod fetch;
mod homes;
mod support;
mod team;
mod transport;
