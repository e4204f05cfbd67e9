//! When something was, by this machine's clock, in UTC.

use humantime::format_rfc3339_seconds;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "what is told as an age is shown as a time")]
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// As 2026-01-31T23:59:59Z.
pub(crate) fn utc(unix_ms: u64) -> String {
    format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(unix_ms)).to_string()
}
