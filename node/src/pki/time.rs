//! Times of certificates: seconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::der::DateTime;

/// Seconds of a day.
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// What this machine's clock says.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// As people and programs read it: `2026-11-21T09:30:00Z`.
pub(crate) fn date(seconds: u64) -> String {
    // Certificates end in the year 9999 at the latest.
    DateTime::from_unix_duration(Duration::from_secs(seconds)).map_or_else(|_| "never".into(), |date| date.to_string())
}

/// A span of time, roughly: `29 days`, `3 hours`.
pub(crate) fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / DAY, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
