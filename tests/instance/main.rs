//! Instances: real emulators, state made by boto3, and the fixed-point law.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod compute;
mod connect;
mod data;
mod files;
mod functions;
mod gateway;
mod groups;
mod kept;
mod messaging;
mod network;
mod orchestration;
mod round_trip;
mod s3;
mod settings;
mod sqlite;
mod streams;
mod trip;
