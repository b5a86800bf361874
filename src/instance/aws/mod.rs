//! An instance over the public AWS API.
//!
//! [`client`] speaks the wire protocols; one file per service says how to list, describe, create, update and delete.
//! Adding a service is one file and one line in [`services`].

mod account;
mod apigateway;
mod apigatewayv2;
pub mod bodies;
mod client;
mod cloudwatch;
mod described;
mod detect;
mod dynamodb;
mod ec2;
mod elements;
mod endpoint;
mod errors;
mod events;
mod iam;
pub mod ids;
mod instance;
mod kinesis;
mod kms;
mod lambda;
mod lines;
mod logs;
mod pipes;
pub mod quirks;
mod regions;
mod request;
mod reset;
mod s3;
mod scheduler;
mod scope;
mod secretsmanager;
mod sign;
mod sns;
mod sqs;
mod ssm;
mod stepfunctions;
mod streamed;
pub mod tags;
mod token;
mod xml;

use async_trait::async_trait;

pub use self::client::Client;
pub use self::errors::{ApiError, found, refused};
pub use self::instance::{Aws, Options};
pub use self::quirks::Emulator;
pub use self::request::{Answer, Api, Method, Request};
pub use self::scope::{Pages, Scope, settled};
pub use self::sign::Login;
pub use self::streamed::Streamed;
pub use self::xml::{escape, items};

use crate::core::address::Address;
use crate::core::content::Contents;
use crate::error::Result;
use crate::instance::{Sink, Stage, Step};

/// One AWS service: how its resources become records and records become resources.
#[async_trait]
pub trait Service: Send + Sync {
    /// As the AWS command line calls it, and as it stands in addresses: `s3`.
    fn name(&self) -> &'static str;

    /// Whether its resources stand in no region (IAM) or are listed for all regions at once (S3).
    fn is_global(&self) -> bool {
        false
    }

    /// Whether one listing gives resources of all regions, with their regions in their addresses (S3).
    fn spans_regions(&self) -> bool {
        false
    }

    /// A cheap listing call, by which an instance shows whether it offers the service.
    fn probe(&self) -> Option<Request> {
        None
    }

    /// What can't be captured or put back on this make of emulator, with peapod's agent in it or without, for a person;
    /// none when all can.
    fn partial(&self, emulator: Emulator, agent: bool) -> Option<&'static str> {
        let _ = (emulator, agent);
        None
    }

    /// The ids that the instance generated for this service's resources here, and the addresses that stand for them.
    async fn ids(&self, cx: &Scope<'_>) -> Result<Vec<(Address, String)>> {
        let _ = cx;
        Ok(Vec::new())
    }

    /// When the record at this address (always of this service) is put back.
    fn stage(&self, address: &Address) -> Stage;

    /// Reads everything of one region (any, for a global service) into `sink`.
    async fn capture(&self, cx: &Scope<'_>, sink: &dyn Sink) -> Result<()>;

    /// Carries out one step.
    async fn apply(&self, cx: &Scope<'_>, step: &Step, contents: &dyn Contents) -> Result<()>;
}

/// Every service, in the order in which they are shown.
pub fn services() -> Vec<Box<dyn Service>> {
    vec![
        Box::new(s3::S3::default()),
        Box::new(iam::Iam),
        Box::new(ec2::Ec2::default()),
        Box::new(kms::Kms::default()),
        Box::new(lambda::Lambda::default()),
        Box::new(ssm::Ssm),
        Box::new(sqs::Sqs::default()),
        Box::new(sns::Sns),
        Box::new(logs::Logs),
        Box::new(kinesis::Kinesis),
        Box::new(cloudwatch::CloudWatch),
        Box::new(dynamodb::DynamoDb::default()),
        Box::new(secretsmanager::SecretsManager::default()),
        Box::new(stepfunctions::StepFunctions),
        Box::new(events::Events),
        Box::new(scheduler::Scheduler),
        Box::new(apigateway::ApiGateway::default()),
        Box::new(apigatewayv2::ApiGatewayV2::default()),
        Box::new(pipes::Pipes),
    ]
}
