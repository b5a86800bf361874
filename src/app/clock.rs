//! The time of day, as versions, heads and invites write it, and as answers show it.

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970 as RFC 3339, whatever a peer put there.
pub fn rfc3339(millis: u64) -> String {
    let timestamp = i64::try_from(millis).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    timestamp.unwrap_or(jiff::Timestamp::MAX).to_string()
}
