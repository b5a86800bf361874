//! The network keeps its promises on real sockets: nodes in one process, each with a swarm of its own, on loopback.

mod support;
mod transport;
