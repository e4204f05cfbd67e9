//! Every name that a scrape can have, with what it means. The table in `docs/METRICS.md` is this one.

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A number that only rises while the daemon runs.
    Counter,
    /// Counts in classes, their sum and their number.
    Histogram,
}

/// Samples of one name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The labels of its samples.
    pub(super) labels: &'static [&'static str],
    pub(super) meaning: &'static str,
}

const fn family(name: &'static str, kind: Kind, labels: &'static [&'static str], meaning: &'static str) -> Family {
    Family { name, kind, labels, meaning }
}

/// All of them, in the order of the page.
pub(super) const FAMILIES: &[Family] = &[
    family(
        "ftq_build_info",
        Kind::Gauge,
        &["version", "rules"],
        "Always 1: the build, and the rules of the queues in force.",
    ),
    family("ftq_serving", Kind::Gauge, &[], "1 while this replica orders and hears a quorum."),
    family(
        "ftq_role",
        Kind::Gauge,
        &["role"],
        "1 for what this replica is: sequencer, voter, outside a view, or learner.",
    ),
    family("ftq_view_number", Kind::Gauge, &[], "The number of the view that this replica was in last."),
    family("ftq_view_members", Kind::Gauge, &[], "How many members that view has."),
    family("ftq_view_changes", Kind::Counter, &[], "Views that this replica has installed."),
    family("ftq_member_heard", Kind::Gauge, &["member"], "1 while another member of the cluster is heard."),
    family("ftq_slot", Kind::Gauge, &[], "The last slot applied."),
    family("ftq_lag_slots", Kind::Gauge, &[], "Slots that are committed and this replica has not applied."),
    family(
        "ftq_member_lag_slots",
        Kind::Gauge,
        &["member"],
        "Slots that are committed and another member, while it is heard, does not know to be.",
    ),
    family("ftq_slots_applied", Kind::Counter, &[], "Slots applied."),
    family("ftq_slots_sequenced", Kind::Counter, &[], "Slots that this replica has ordered."),
    family("ftq_slots_caught_up", Kind::Counter, &[], "Slots learned from another replica."),
    family("ftq_snapshots_restored", Kind::Counter, &[], "Snapshots taken over from another replica."),
    family("ftq_batch_requests", Kind::Histogram, &[], "Requests in each slot that this replica has ordered."),
    family("ftq_commit_seconds", Kind::Histogram, &[], "From a slot being complete here to its being applied."),
    family(
        "ftq_requests",
        Kind::Counter,
        &["operation"],
        "Requests of clients, once each however often they were sent.",
    ),
    family(
        "ftq_request_seconds",
        Kind::Histogram,
        &["operation"],
        "From a request's first arrival here to its answer; pops and takes that wait have their wait in it.",
    ),
    family("ftq_requests_refused", Kind::Counter, &["reason"], "Answers that send a client elsewhere or away."),
    family("ftq_requests_repeated", Kind::Counter, &[], "Retries that were answered with the first answer."),
    family("ftq_requests_under_way", Kind::Gauge, &[], "Requests that have left this replica and are not answered."),
    family("ftq_requests_under_way_bytes", Kind::Gauge, &[], "What those take."),
    family(
        "ftq_requests_held",
        Kind::Gauge,
        &[],
        "Requests that have not left: too much is under way, or there is no view.",
    ),
    family(
        "ftq_requests_held_bytes",
        Kind::Gauge,
        &[],
        "What those take; with 8 MiB, or with 65,536 requests, clients are told that it is busy.",
    ),
    family("ftq_requests_parked", Kind::Gauge, &[], "Requests that wait in a queue, and whose clients wait here."),
    family("ftq_reads_waiting", Kind::Gauge, &[], "Reads that wait for a quorum."),
    family("ftq_client_channels", Kind::Gauge, &[], "Clients elsewhere with whom there is a sealed channel."),
    family("ftq_sessions", Kind::Gauge, &[], "Open sessions of the cluster."),
    family("ftq_queues", Kind::Gauge, &[], "Queues of the cluster."),
    family("ftq_items", Kind::Gauge, &[], "Items in all queues."),
    family("ftq_sequences", Kind::Gauge, &[], "Named sequences of numbers."),
    family("ftq_memory_bytes", Kind::Gauge, &[], "What items and queues are charged with."),
    family("ftq_memory_limit_bytes", Kind::Gauge, &[], "What they may be charged with before pushes are refused."),
    family("ftq_sync_seconds", Kind::Histogram, &["thread"], "How long syncs of the journal and of the archive take."),
    family(
        "ftq_store_bytes",
        Kind::Gauge,
        &["thread"],
        "What is in use of the journal, and what the archive takes on the disk.",
    ),
    family("ftq_store_jobs", Kind::Gauge, &[], "Jobs that the journal has not finished."),
    family("ftq_store_job_age_seconds", Kind::Gauge, &[], "How old the oldest of them is."),
    family("ftq_archive_lag_slots", Kind::Gauge, &[], "Slots applied that are not in the archive yet."),
    family("ftq_disk_free_bytes", Kind::Gauge, &[], "What is free on the store's disk."),
    family("ftq_disk_nearly_full", Kind::Gauge, &[], "1 while less than disk-low is free: pushes are refused."),
    family("ftq_refused_messages", Kind::Counter, &["reason"], "Messages of peers that were opened and refused."),
    family("ftq_link", Kind::Counter, &["count"], "What the link between replicas counts: losses, repairs, refusals."),
    family(
        "ftq_link_behind_cells",
        Kind::Gauge,
        &["member"],
        "What a member has not acknowledged of what was sent to all.",
    ),
    family("ftq_peer_port", Kind::Counter, &["count"], "Datagrams of peers that were opened, and refused by reason."),
    family(
        "ftq_client_port",
        Kind::Counter,
        &["count"],
        "What the port for clients counts: refusals by reason, pieces, channels.",
    ),
    family(
        "ftq_socket",
        Kind::Counter,
        &["port", "count"],
        "What the sockets count: datagrams, system calls, failures.",
    ),
    family("ftq_loop_turns", Kind::Counter, &[], "Turns of the loop."),
    family("process_cpu_seconds", Kind::Counter, &[], "Processor time that the process has used."),
    family("process_resident_memory_bytes", Kind::Gauge, &[], "Memory of the process."),
    family("process_open_fds", Kind::Gauge, &[], "File descriptors in use."),
    family("process_max_fds", Kind::Gauge, &[], "File descriptors that there may be."),
    family("process_start_time_seconds", Kind::Gauge, &[], "When the process began, in seconds since 1970."),
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTATION: &str = include_str!("../../../docs/METRICS.md");

    #[test]
    fn every_family_is_a_line_of_the_documentation() {
        let line = |family: &Family| {
            let kind = match family.kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
                Kind::Histogram => "histogram",
            };
            let total = if family.kind == Kind::Counter { "_total" } else { "" };
            let labels = family.labels.join(", ");
            format!("| `{}{total}` | {kind} | {labels} | {} |", family.name, family.meaning)
        };
        let wanted: Vec<String> = FAMILIES.iter().map(line).collect();
        let written: Vec<&str> = DOCUMENTATION.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(wanted, written, "docs/METRICS.md should have these lines:\n{}", wanted.join("\n"));
    }
}
