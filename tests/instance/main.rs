//! Instances: real emulators, state made by boto3, and the fixed-point law.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod compute;
mod connect;
mod data;
mod files;
mod gateway;
mod functions;
mod groups;
mod kept;
mod messaging;
mod network;
mod orchestration;
mod s3;
mod sqlite;
mod round_trip;
mod settings;
mod streams;
mod trip;
