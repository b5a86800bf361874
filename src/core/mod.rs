//! The data model, pure: no clock, file, socket, thread or random source.
//!
//! From small to large: a [`value::Value`] is a canonical attribute; a [`record::Record`] is one resource or item;
//! an [`address::Address`] says where it lives; a [`content::ContentRef`] names a large value; a tree (in
//! [`crate::tree`]) maps addresses to records and its root names a whole state; a [`version::Version`] places such a
//! root in a pod's history. [`codec`] is the one encoding of all of them, [`name::Name`] the one kind of hash,
//! [`objects::Objects`] the one way to reach what a name stands for.

pub mod address;
pub mod carry;
pub mod chain;
pub mod codec;
pub mod content;
pub mod fold;
pub mod head;
pub mod identity;
pub mod name;
pub mod objects;
pub mod record;
pub mod record_merge;
pub mod redact;
pub mod reference;
pub mod roster;
pub mod select;
pub mod signed;
pub mod ticket;
pub mod value;
pub mod version;
pub mod withheld;
