//! Which endpoints peapod talks to: emulators on this machine, others when told to, real AWS never.

use url::{Host, Url};

use crate::error::{Error, Result};

/// What real AWS's own endpoints end in, in all its partitions.
const REAL: [&str; 12] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "amazonwebservices.com",
    "amazonwebservices.com.cn",
    "api.aws",
    "on.aws",
    "aws.dev",
    "aws.amazon.com",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloudfront.net",
];

/// The endpoint that `text` names, normalised to scheme, host and port; without a scheme it is http.
///
/// Refused: real AWS always, and a host that is not this machine unless `allow_remote`.
pub fn parse(text: &str, allow_remote: bool) -> Result<Url> {
    let usage =
        || Error::usage(format!("{text:?} is not an instance's URL")).hint("give one like http://localhost:4566");
    // `localhost:4566` would pass for a URL whose scheme is localhost.
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|error| usage().because(error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return Err(usage());
    }
    let host = url.host().ok_or_else(usage)?.to_owned();
    if is_real(&host) {
        return Err(Error::denied(format!("{host} is real AWS; peapod only ever touches emulators"))
            .hint("point --instance or AWS_ENDPOINT_URL at an emulator, say http://localhost:4566"));
    }
    if !is_loopback(&host) && !allow_remote {
        return Err(Error::denied(format!("{host} is not this machine"))
            .hint("if it is an emulator that may be changed, say --allow-remote"));
    }
    if url.path() != "/" || url.query().is_some() {
        return Err(usage());
    }
    Ok(url)
}

fn is_real(host: &Host<String>) -> bool {
    let Host::Domain(name) = host else { return false };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    REAL.iter().any(|real| name.strip_suffix(real).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            // RFC 6761: names under localhost never leave the machine.
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn real_aws_is_refused_whatever_is_allowed() {
        for url in [
            "https://s3.amazonaws.com",
            "https://sqs.eu-west-1.AMAZONAWS.com.",
            "https://amazonaws.com",
            "https://sqs.cn-north-1.amazonaws.com.cn",
            "https://s3.dualstack.eu-west-1.api.aws",
            "http://x.lambda-url.us-east-1.on.aws",
        ] {
            assert_eq!(parse(url, true).unwrap_err().kind(), Kind::Denied, "{url}");
        }
        assert!(parse("http://notamazonaws.com", true).is_ok());
    }

    #[test]
    fn another_machine_must_be_allowed() {
        for url in ["http://10.0.0.7:4566", "http://example.com", "http://0.0.0.0:4566", "http://[::2]:4566"] {
            assert_eq!(parse(url, false).unwrap_err().kind(), Kind::Denied, "{url}");
            assert!(parse(url, true).is_ok());
        }
        for url in ["http://localhost:4566", "localhost:4566", "http://[::1]:4566/", "https://s3.localhost:4566"] {
            assert!(parse(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_a_usage_error() {
        for url in ["", "a b", "ftp://localhost", "http://u:p@localhost", "http://localhost/path", "dir:/x"] {
            assert_eq!(parse(url, true).unwrap_err().kind(), Kind::Usage, "{url}");
        }
    }
}
