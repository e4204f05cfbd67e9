//! A scrape's text, out of what the parts of the daemon say of themselves.

use super::Meter;
use super::page::Page;
use crate::client_port::ClientPort;
use crate::peer_port::PeerPort;
use crate::standing::{Role, Standing};
use ftq_core::ids::MemberId;
use ftq_core::machine::queues::Queues;
use ftq_core::replica::Replica;
use ftq_core::time::{Span, Time};
use ftq_storage::disk::{DiskStore, SYNC_CLASS_MICROS, SYNC_CLASSES, Vital};

/// What there is to look at.
pub(crate) struct Seen<'a> {
    pub(crate) now: Time,
    pub(crate) me: MemberId,
    pub(crate) standing: &'a Standing,
    pub(crate) replica: &'a Replica<Queues>,
    pub(crate) store: &'a DiskStore,
    pub(crate) peers: &'a PeerPort,
    pub(crate) clients: &'a ClientPort,
    pub(crate) meter: &'a Meter,
}

/// Everything but what only the process knows of itself.
pub(crate) fn collect(seen: &Seen<'_>) -> String {
    let mut page = Page::default();
    place(&mut page, seen);
    order(&mut page, seen);
    requests(&mut page, seen);
    state(&mut page, seen);
    store(&mut page, seen);
    network(&mut page, seen);
    page.counter("ftq_loop_turns", &[], seen.meter.turns);
    page.into_text()
}

fn place(page: &mut Page, seen: &Seen<'_>) {
    let Standing { view, members, heard, role, is_serving, applied, lag, replays_to: _ } = seen.standing;
    let rules = seen.replica.machine().machine().summary().rules.to_string();
    page.gauge("ftq_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("rules", &rules)], 1);
    page.gauge("ftq_serving", &[], u8::from(*is_serving));
    for (one, name) in Role::ALL {
        page.gauge("ftq_role", &[("role", name)], u8::from(*role == one));
    }
    page.gauge("ftq_view_number", &[], view.number);
    page.gauge("ftq_view_members", &[], members.len());
    page.counter("ftq_view_changes", &[], seen.meter.views);
    for member in others(seen) {
        page.gauge("ftq_member_heard", &[("member", &member.to_string())], u8::from(heard.contains(member)));
    }
    page.gauge("ftq_slot", &[], applied);
    page.gauge("ftq_lag_slots", &[], lag);
    let group = seen.replica.group();
    let known = group.known_committed(seen.now);
    let others = group.acquaintances(seen.now).filter(|(member, ..)| group.electorate().set().contains(*member));
    for (member, _, heartbeat) in others.filter(|(member, ..)| heard.contains(*member)) {
        let lag = known.0.saturating_sub(heartbeat.committed.0);
        page.gauge("ftq_member_lag_slots", &[("member", &member.to_string())], lag);
    }
}

fn order(page: &mut Page, seen: &Seen<'_>) {
    let meter = seen.meter;
    page.counter("ftq_slots_applied", &[], meter.applied);
    page.counter("ftq_slots_sequenced", &[], meter.batches.classes.iter().sum::<u64>());
    page.counter("ftq_slots_caught_up", &[], meter.caught_up);
    page.counter("ftq_snapshots_restored", &[], meter.restored);
    page.sizes("ftq_batch_requests", &[], &meter.batches);
    page.times("ftq_commit_seconds", &[], &meter.commits);
}

fn requests(page: &mut Page, seen: &Seen<'_>) {
    let meter = seen.meter;
    for (operation, count) in &meter.requests {
        page.counter("ftq_requests", &[("operation", operation)], count);
    }
    for (operation, times) in &meter.answers {
        page.times("ftq_request_seconds", &[("operation", operation)], times);
    }
    for (reason, count) in &meter.refusals {
        page.counter("ftq_requests_refused", &[("reason", reason)], count);
    }
    page.counter("ftq_requests_repeated", &[], meter.repeated);
    let own = seen.replica.group().own();
    page.gauge("ftq_requests_under_way", &[], own.len());
    page.gauge("ftq_requests_under_way_bytes", &[], own.bytes());
    let waiting = seen.replica.waiting();
    page.gauge("ftq_requests_held", &[], waiting.held);
    page.gauge("ftq_requests_held_bytes", &[], waiting.held_bytes);
    page.gauge("ftq_requests_parked", &[], waiting.parked);
    page.gauge("ftq_reads_waiting", &[], waiting.reads);
    page.gauge("ftq_client_channels", &[], seen.clients.channels());
}

fn state(page: &mut Page, seen: &Seen<'_>) {
    let sessions = seen.replica.machine();
    let summary = sessions.machine().summary();
    page.gauge("ftq_sessions", &[], sessions.len());
    page.gauge("ftq_queues", &[], summary.queues);
    page.gauge("ftq_items", &[], summary.items);
    page.gauge("ftq_sequences", &[], summary.sequences);
    page.gauge("ftq_memory_bytes", &[], summary.memory_bytes);
    page.gauge("ftq_memory_limit_bytes", &[], summary.memory_bytes_max);
}

fn store(page: &mut Page, seen: &Seen<'_>) {
    for Vital { thread, syncs, .. } in seen.store.vitals() {
        let bound = |class: usize| (class + 1 < SYNC_CLASSES).then(|| SYNC_CLASS_MICROS << class);
        let classes: Vec<(Option<u64>, u64)> =
            syncs.classes.iter().enumerate().map(|(class, count)| (bound(class), *count)).collect();
        page.classes("ftq_sync_seconds", &[("thread", thread)], &classes, syncs.micros);
    }
    for Vital { thread, bytes, .. } in seen.store.vitals() {
        page.gauge("ftq_store_bytes", &[("thread", thread)], bytes);
    }
    let group = seen.replica.group();
    page.gauge("ftq_store_jobs", &[], group.unfinished_jobs());
    page.gauge("ftq_store_job_age_seconds", &[], seconds(group.job_age(seen.now)));
    page.gauge("ftq_archive_lag_slots", &[], group.log().delivered().0.saturating_sub(group.archived().0));
    if let Some(free) = seen.store.free_bytes() {
        page.gauge("ftq_disk_free_bytes", &[], free);
    }
    page.gauge("ftq_disk_nearly_full", &[], u8::from(seen.meter.is_nearly_full));
}

fn network(page: &mut Page, seen: &Seen<'_>) {
    for (reason, count) in seen.replica.refused() {
        page.counter("ftq_refused_messages", &[("reason", reason)], count);
    }
    for (count, value) in seen.replica.link().counters().iter() {
        page.counter("ftq_link", &[("count", count)], value);
    }
    for member in others(seen) {
        let name = member.to_string();
        page.gauge("ftq_link_behind_cells", &[("member", &name)], seen.replica.link().behind(member));
    }
    for (count, value) in seen.peers.counts() {
        page.counter("ftq_peer_port", &[("count", count)], value);
    }
    for (count, value) in seen.clients.counts() {
        page.counter("ftq_client_port", &[("count", count)], value);
    }
    let sockets = [("peers", seen.peers.socket_counts()), ("clients", seen.clients.socket_counts())];
    for (port, counts) in sockets {
        for (count, value) in counts.iter() {
            page.counter("ftq_socket", &[("port", port), ("count", count)], value);
        }
    }
}

/// The other members of the cluster, as far as the log knows it.
fn others(seen: &Seen<'_>) -> impl Iterator<Item = MemberId> {
    seen.replica.group().electorate().set().without(seen.me).iter()
}

#[expect(clippy::cast_precision_loss, reason = "a measure to look at")]
fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1e6
}
