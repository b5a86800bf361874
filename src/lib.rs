//! peapod shares snapshots of a local cloud emulator's state straight between teammates.
//!
//! A *pod* is a named history of snapshots. Every member of a team runs a *node*: a store of content-addressed objects,
//! a key, and a network port. There is no server; what one node pushes, the others fetch from whoever has it.
//!
//! # The way of a snapshot
//!
//! ```text
//!  instance ── capture ──> records ──> tree ──> version ──> signed head ── gossip ──> teammates
//!     ^                      (core)    (tree)    (core)        (core)        (net)        │
//!     └──── apply <── plan <── three-way merge <── store <── missing objects <── fetch ───┘
//!   (instance)      (app)          (tree)         (store)                      (sync, net)
//! ```
//!
//! 1. An [`instance`] turns what it holds into [records](core::record::Record), each at an
//!    [address](core::address::Address): a bucket, an object, a queue's message, a table's item. What differs between
//!    two instances in the same state (generated ids, dates, host names) is left out.
//! 2. The [`tree`] maps addresses to records. Its shape depends on the records alone, so equal states have equal root
//!    hashes, and a difference or a merge reads only where states differ.
//! 3. A [version](core::version::Version) places a root in a pod's history: parents, author, message. A head is the
//!    author's signed word "this pod is at that version", chained to the author's last word.
//! 4. The [`store`] keeps everything as chunks, named by their hash, packed into files of up to 16 MiB, and durable
//!    before it is visible.
//! 5. Nodes tell each other their heads, and fetch what they lack: [`sync`] decides what to ask of whom (without any
//!    I/O, so that it can be simulated), [`net`] carries it.
//! 6. The [`app`]'s journeys join the parts: commit, push, pull, inject and so on, one file each. They run in the node
//!    if one is up, else in the command's own process, and never know the difference.
//! 7. The [`cli`] turns arguments into a journey and its outcome into text or JSON.
//!
//! # The layers
//!
//! ```text
//!  cli    ->  app, core                      app       ->  everything below
//!  net    ->  core, sync                     store, sync, instance  ->  core, tree
//!  tree   ->  core                           core      ->  nothing
//! ```
//!
//! Nothing points back, and no folder's modules use each other in a circle; `tests/layers.rs` keeps it so. [`core`] and
//! [`tree`] are pure: no clock, file, socket, thread or random source. [`error`] and [`limits`] are free for all: one
//! error type with a kind, a reason and a way out, and every bound on what comes from outside.
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | add an AWS service | one file beside `iam` in `src/instance/aws/`, one line in its table of services |
//! | know how files and SQLite rows become records | `src/instance/files/` |
//! | add a command | its journey in `src/app/`, a line in [`app::request`], its arguments and text in `src/cli/` |
//! | change what is stored or sent | [`core::codec`]: every format has a number, and golden tests |
//! | know what is trusted | `core::identity`, `core::head`, `core::roster`: who signs what, and what a signature covers |

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
