//! A configuration as a file that says the same, with each key explained: what an operator begins with.

use super::fields::format_bytes;
use super::reading::{OFF, ORDERS, PLAIN};
use super::{Address, Config};
use std::fmt::Write;

/// A file that says what `config` says.
pub(super) fn print(config: &Config) -> String {
    let mut page = Page(String::new());
    let Config { cluster, me, members, peer, client, client_plain, client_datagram, http, .. } = config;
    page.about("The configuration of ftqd, as `ftqd --print-config` writes it: each key with what it is now.");
    page.about("What counts for more than this file: --me, --data-dir, --key-file and --log, then $FTQD_ME,");
    page.about("$FTQD_DATA_DIR, $FTQD_KEY_FILE and $FTQD_LOG.");
    page.key("cluster", text(cluster), &["The cluster's name, the same for all its members."]);
    page.key("me", me, &["Which of the members this is: 1 to 63."]);
    page.key("client", text(client), &["Where clients are served (UDP)."]);
    let plain = PLAIN.iter().find(|(_, role)| role == client_plain).map_or(OFF, |(name, _)| name);
    page.key(
        "client-plain",
        text(plain),
        &[
            "What clients on this machine may do without a key: \"admin\", \"write\", \"read\" or \"off\".",
            "From elsewhere nothing goes without a key.",
        ],
    );
    page.key("client-datagram", client_datagram, &["The largest datagram to a client elsewhere, in bytes."]);
    page.key("peer", text(peer), &[
        "Where this member expects the others (UDP); if it is not its address below. With `join`: where they find it.",
    ]);
    let join = config.join.iter().map(text).collect::<Vec<_>>().join(", ");
    page.perhaps(
        "join",
        Some(format!("[{join}]")).filter(|_| !config.join.is_empty()),
        &text("192.0.2.1:7411"),
        &[
            "Instead of the list of all members at the end: the address of one that runs, or of a few, for a replica that",
            "comes into their cluster. It learns the rest, and waits for `ftqctl member add`.",
        ],
    );
    let http = http.as_ref().map_or_else(|| OFF.to_owned(), Address::to_string);
    page.key("http", text(http), &["Where /metrics, /livez and /readyz are to be seen (TCP); \"off\" for nowhere."]);
    let key_file = config.key_file.as_ref().map(|path| text(path.display()));
    page.perhaps(
        "key-file",
        key_file,
        &text("ftq.key"),
        &[
            "The keys that the members and their clients share, made by `ftqctl key new --file`. A path that is not",
            "absolute is found from where this file is. Read again on SIGHUP.",
        ],
    );
    page.key("datagram", config.datagram, &["The largest datagram between members, in bytes."]);
    page.perhaps(
        "multicast",
        config.multicast.map(text),
        &text("239.7.7.7:7411"),
        &["A group to which goes what is for several members, instead of to each; for members on several machines."],
    );
    let order = ORDERS.iter().find(|(_, order)| *order == config.order).map_or("", |(name, _)| name);
    page.key(
        "order",
        text(order),
        &[
            "Who orders: \"rotating\", all members in turn, or \"fixed\", the lowest one of those that are well.",
            "The same for all members.",
        ],
    );
    page.key("data-dir", text(config.data_dir.display()), &["Where the store is: one directory for each member."]);
    page.key("journal", text(format_bytes(config.journal)), &["The size of the journal of a new store."]);
    page.key(
        "log-keep",
        text(format_bytes(config.log_keep)),
        &[
            "How much of the log is kept for members that were away; who was away for longer gets a snapshot.",
            "Read again on SIGHUP.",
        ],
    );
    page.key(
        "disk-low",
        text(format_bytes(config.disk_low)),
        &[
            "With less than this free the disk is nearly full: pushes are refused until twice as much is free.",
            "Read again on SIGHUP.",
        ],
    );
    page.key("log", text(config.log.to_string().to_lowercase()), &[
        "Which lines are written: \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\". Read again on SIGHUP.",
    ]);
    if !config.join.is_empty() {
        return page.0;
    }
    page.about("");
    page.about("All members with their addresses for each other, this one too; the same list for all members.");
    for (id, peer) in members {
        page.line(&format!("[[members]]\nid = {id}\npeer = {}", text(peer)));
    }
    page.0
}

/// What is written so far.
struct Page(String);

impl Page {
    fn about(&mut self, line: &str) {
        self.line(if line.is_empty() { String::new() } else { format!("# {line}") }.as_str());
    }

    fn key(&mut self, key: &str, value: impl std::fmt::Display, about: &[&str]) {
        self.explain(about);
        self.line(&format!("{key} = {value}"));
    }

    /// A key that may have no value: then an example of one stands there as a comment.
    fn perhaps(&mut self, key: &str, value: Option<String>, example: &str, about: &[&str]) {
        self.explain(about);
        match value {
            Some(value) => self.line(&format!("{key} = {value}")),
            None => self.line(&format!("# {key} = {example}")),
        }
    }

    fn explain(&mut self, about: &[&str]) {
        self.line("");
        about.iter().for_each(|line| self.about(line));
    }

    fn line(&mut self, line: &str) {
        // Writing into a string can't fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// As TOML writes a text.
fn text(text: impl std::fmt::Display) -> String {
    let mut quoted = String::from("\"");
    for c in text.to_string().chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
