//! What can't be trusted is set aside, never thrown away: renamed, with the time in its name.

use super::directory::Directory;
use super::error::OpenError;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How the name of everything that was set aside begins.
pub(super) const PREFIX: &str = "set-aside-";

/// What a whole store is called there.
pub(super) const STORE: &str = "store";

/// The name of the store that was set aside last in this directory, if one was.
pub fn former_store(directory: &Path) -> Option<String> {
    let names = fs::read_dir(directory).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_store = |name: &String| name.starts_with(PREFIX) && name.contains(&format!("-{STORE}"));
    names.filter(is_store).max()
}

impl Directory {
    /// Renames a file or a directory so that it is out of the way; the new name, if it was there.
    pub(super) fn set_aside(&self, name: &str) -> Result<Option<String>, OpenError> {
        self.set_aside_as(name, name)
    }

    /// The same for what is to be called something else.
    pub(super) fn set_aside_as(&self, name: &str, called: &str) -> Result<Option<String>, OpenError> {
        if !self.at(name).exists() {
            return Ok(None);
        }
        let aside = self.unused(called);
        self.rename(name, &aside)?;
        Ok(Some(aside))
    }

    /// Moves all of a store into a directory of its own below this one; that one's name. What can't be moved in
    /// one step is moved in an order that never leaves half a store which looks like a whole one.
    pub(super) fn set_all_aside(&self, names: &[String]) -> Result<String, OpenError> {
        let aside = self.unused(STORE);
        fs::create_dir(self.at(&aside)).map_err(OpenError::io("create", &self.at(&aside)))?;
        names
            .iter()
            .filter(|name| self.at(name).exists())
            .try_for_each(|name| self.rename(name, &format!("{aside}/{name}")))?;
        Ok(aside)
    }

    /// A name that says when it was set aside, and that nothing has.
    fn unused(&self, name: &str) -> String {
        let now = timestamp(seconds());
        let first = format!("{PREFIX}{now}-{name}");
        let others = (2..).map(|n| format!("{PREFIX}{now}-{name}-{n}"));
        let mut names = std::iter::once(first).chain(others);
        names.find(|name| !self.at(name).exists()).expect("a directory has fewer entries than there are numbers")
    }
}

/// Seconds of Unix time: only for names.
#[expect(clippy::disallowed_methods, reason = "a person wants to know when it was; nothing is decided by it")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A time in UTC, as it may stand in a file name.
fn timestamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that the leap day is the last one (the usual "days to civil" arithmetic).
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let (month, date) = (if march < 10 { march + 3 } else { march - 9 }, of_year - (153 * march + 2) / 5 + 1);
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}-{:02}-{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn times_are_written_as_people_read_them() {
        assert_eq!(timestamp(0), "1970-01-01T00-00-00Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00-00-00Z");
        assert_eq!(timestamp(1_795_532_400 + 3 * 60 + 12), "2026-11-24T15-03-12Z");
        assert_eq!(timestamp(4_107_542_399), "2100-02-28T23-59-59Z");
        assert_eq!(timestamp(4_107_542_400), "2100-03-01T00-00-00Z");
    }
}
