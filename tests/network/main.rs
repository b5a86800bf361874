//! The network keeps its promises on real sockets: nodes in one process, each with a swarm of its own, on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fetch;
mod homes;
mod support;
mod team;
mod transport;
