//! Instances: real emulators, state made by boto3, and the fixed-point law.

#[path = "../common/mod.rs"]
mod common;

mod compute;
mod connect;
mod data;
mod s3;
