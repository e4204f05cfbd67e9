//! How the lines of the log look: with their priority for the journal of the service manager, else with the time.

use env_logger::{Builder, Logger};
use humantime::format_rfc3339_millis;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::SystemTime;
use std::{env, fs, thread};

/// What sled has to say is for its authors.
const SLED: &str = "sled";

/// How the name of a thread begins that runs one of several replicas; its number follows.
pub(crate) const REPLICA: &str = "ftq-replica-";

/// The logger of this process: its level can change while it runs.
static LINES: OnceLock<Lines> = OnceLock::new();

struct Lines {
    logger: RwLock<Logger>,
}

/// Writes lines from this level on, from now on; `$RUST_LOG`, if it is set, knows better.
pub(crate) fn set(level: LevelFilter) {
    let logger = logger(level);
    let most = logger.filter();
    let mut logger = Some(logger);
    let lines =
        LINES.get_or_init(|| Lines { logger: RwLock::new(logger.take().unwrap_or_else(|| Builder::new().build())) });
    if let Some(logger) = logger {
        *lines.logger.write().unwrap_or_else(PoisonError::into_inner) = logger;
    }
    // A second logger in one process is refused; the first one serves.
    let _ = log::set_logger(lines);
    log::set_max_level(most);
}

fn logger(level: LevelFilter) -> Logger {
    let mut builder = Builder::new();
    match env::var("RUST_LOG") {
        Ok(filters) if !filters.is_empty() => builder.parse_filters(&filters),
        Ok(_) | Err(_) => builder.filter_level(level).filter_module(SLED, level.min(LevelFilter::Warn)),
    };
    if is_journal() {
        builder.format(|out, record| {
            let text = record.args().to_string();
            text.lines().try_for_each(|line| writeln!(out, "<{}>{}{line}", priority(record.level()), whose()))
        });
    } else {
        builder.format(|out, record| {
            writeln!(out, "{} {:5} {}{}", format_rfc3339_millis(wall_clock()), record.level(), whose(), record.args())
        });
    }
    builder.build()
}

/// Whether what is written here ends in the journal: it says which file that is.
fn is_journal() -> bool {
    let Ok(named) = env::var("JOURNAL_STREAM") else { return false };
    let Ok(file) = fs::metadata("/proc/self/fd/2") else { return false };
    named == format!("{}:{}", file.dev(), file.ino())
}

/// In front of a line of one of several replicas: which one it is. Each has a thread of this name.
fn whose() -> String {
    let thread = thread::current();
    let number = thread.name().and_then(|name| name.strip_prefix(REPLICA));
    number.map_or_else(String::new, |number| format!("replica {number}: "))
}

/// The priorities of `sd-daemon(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[expect(clippy::disallowed_methods, reason = "for people to read: nothing is decided by it")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.read().unwrap_or_else(PoisonError::into_inner).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.logger.read().unwrap_or_else(PoisonError::into_inner).log(record);
    }

    fn flush(&self) {
        self.logger.read().unwrap_or_else(PoisonError::into_inner).flush();
    }
}
