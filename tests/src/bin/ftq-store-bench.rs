//! What the store costs on this machine's disk, beside a plain file and bare sled in the same run.
//!
//! `cargo run --release -p ftq-tests --bin ftq-store-bench` prints all of it in some minutes; with `groups`,
//! `turnover` or `opening` behind it a part. `opening N` takes N million slots instead of ten.

use bytes::Bytes;
use ftq_storage::disk::{DiskStore, Options};
use ftq_tests::bench::store::{BareSled, Outcome, Plain, Rig, Until, disk_bytes, own, run};
use ftq_tests::process::Ticks;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Slots in a group, and bytes in a slot.
const GROUPS: [u64; 4] = [1, 16, 64, 256];
const CONTENTS: [usize; 2] = [100, 1 << 10];

/// What a slot takes beside its content, in a plain file too: its number, clock, view and digest.
const SLOT_BYTES: usize = 48;

/// Each is measured so many times in turn; the median of the ratios is printed.
const TURNS: usize = 5;

const MEASURED: Duration = Duration::from_millis(700);

/// So many bytes fit into the journal before the archive has to follow.
const ROOM_BYTES: u64 = 24 << 20;

/// A sustained run goes so many times around the journal, or takes so long.
const LAPS: u64 = 10;
const SUSTAINED: Duration = Duration::from_secs(25);
const SUSTAINED_JOURNAL: u64 = 16 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => {
            groups();
            turnover();
            opening(10);
        }
        ["groups"] => groups(),
        ["turnover"] => turnover(),
        ["opening"] => opening(10),
        ["opening", millions] => opening(millions.parse().expect("a number of millions")),
        ["open", directory] => open(Path::new(directory)),
        _ => eprintln!("ftq-store-bench [groups | turnover | opening [MILLIONS]]"),
    }
}

/// Groups a second, with room in the journal and sustained, and what they cost.
fn groups() {
    println!("one group under way at a time; room: nothing is delivered; sustained: {LAPS} times around the journal");
    println!(
        "or {} s, with delivering, snapshots and cutting; sled: bare, in bulk, in groups a second\n",
        SUSTAINED.as_secs()
    );
    println!(
        "{:>5} {:>6} {:>9} {:>9} {:>7} {:>10} {:>7} {:>9} {:>6} {:>12} {:>9}",
        "slots",
        "bytes",
        "plain /s",
        "room /s",
        "ratio",
        "sustained",
        "ratio",
        "sled /s",
        "laps",
        "CPU µs/slot",
        "written x"
    );
    for content in CONTENTS {
        for slots in GROUPS {
            line(slots, content);
        }
    }
}

fn line(slots: u64, content: usize) {
    let group_bytes = as_usize(slots) * (content + SLOT_BYTES);
    let (mut plains, mut rooms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let directory = scratch();
        let mut plain = Plain::new(directory.path(), 64 << 20, group_bytes);
        let mut rig = Rig::new(directory.path(), &Options::default(), slots, content);
        let until = Until { groups: ROOM_BYTES / group_bytes as u64, longest: MEASURED };
        let (beside, room) = (run(until, || plain.group()).per_second(), run(until, || rig.accept()).per_second());
        plains.push(beside);
        rooms.push(room);
        ratios.push(room / beside);
    }
    let directory = scratch();
    let options = Options { journal_bytes: SUSTAINED_JOURNAL, log_keep_bytes: 64 << 20, ..Options::default() };
    let mut rig = Rig::new(directory.path(), &options, slots, content);
    let until = Until { groups: LAPS * SUSTAINED_JOURNAL / group_bytes as u64, longest: SUSTAINED };
    let sustained = run(until, || rig.live());
    rig.settle();
    let mut plain = Plain::new(directory.path(), 64 << 20, group_bytes);
    let beside = run(Until { groups: u64::MAX, longest: 2 * MEASURED }, || plain.group()).per_second();
    let mut sled = BareSled::new(directory.path());
    let mut sled_bytes = 0;
    let bulk = run(Until { groups: u64::MAX, longest: 3 * MEASURED }, || {
        sled_bytes += sled.bulk();
        1
    });
    println!(
        "{slots:>5} {content:>6} {:>9.0} {:>9.0} {:>7.2} {:>10.0} {:>7.2} {:>9.0} {:>6.1} {:>12.2} {:>9.1}",
        median(plains),
        median(rooms),
        median(ratios),
        sustained.per_second(),
        sustained.per_second() / beside,
        as_f64(sled_bytes) / as_f64(group_bytes as u64) / bulk.took.as_secs_f64(),
        as_f64(sustained.groups * group_bytes as u64) / as_f64(SUSTAINED_JOURNAL),
        cpu_us_per_slot(&sustained, slots),
        as_f64(sustained.written_bytes) / as_f64(sustained.groups * slots * content as u64),
    );
}

/// How much disk a store takes while its log turns over many times and its state changes.
fn turnover() {
    const LIVE: usize = 64 << 20;
    const LOG: u64 = 128 << 20;
    const TOTAL: u64 = 4 << 30;
    let directory = scratch();
    let options = Options { log_keep_bytes: LOG, ..Options::default() };
    let (slots, content) = (64, 1 << 10);
    let mut rig = Rig::new(directory.path(), &options, slots, content);
    let piece = |fill: usize| Bytes::from([&fill.to_le_bytes()[..], &[7; 40_000]].concat());
    let mut state: Vec<Bytes> = (0..LIVE / 40_000).map(piece).collect();
    let (mut most, mut looked, mut changed) = (0, 0, 0);
    let until = Until { groups: TOTAL / (slots * content as u64), longest: Duration::from_secs(240) };
    let outcome = run(until, || {
        // One of a hundred pieces changes with each snapshot's worth of slots.
        if rig.end() / 10_000 > changed {
            changed = rig.end() / 10_000;
            let n = state.len();
            (0..n / 100)
                .for_each(|at| state[(at * 97 + as_usize(changed)) % n] = piece(n + as_usize(changed) * 100 + at));
            rig.set_state(state.clone());
        }
        looked += 1;
        if looked % 500 == 0 {
            most = most.max(disk_bytes(&directory.path().join("store")));
        }
        rig.live()
    });
    let aside = options.journal_bytes + options.ballast_bytes;
    let bound = 3 * (LIVE as u64 + LOG) + (256 << 20) + aside;
    println!(
        "\n{} MiB of log turned over in {:.0} s",
        (outcome.groups * slots * content as u64) >> 20,
        outcome.took.as_secs_f64()
    );
    println!("state {} MiB, log kept {} MiB", LIVE >> 20, LOG >> 20);
    println!(
        "disk: at most {} MiB, {} MiB at the end; the bound is {} MiB, and {} MiB more during a move",
        most >> 20,
        disk_bytes(&directory.path().join("store")) >> 20,
        bound >> 20,
        (LIVE as u64 + LOG) >> 20
    );
}

/// Time and memory to open after many slots, with a snapshot near the end.
fn opening(millions: u64) {
    let directory = scratch();
    let slots = 16;
    let groups = millions * 1_000_000 / slots;
    {
        let mut rig = Rig::new(directory.path(), &Options::default(), slots, 100);
        run(Until { groups, longest: Duration::from_secs(3_000) }, || rig.live());
        rig.settle();
    }
    println!(
        "\n{millions} million slots of 100 bytes in groups of {slots}, {} MiB on the disk",
        disk_bytes(directory.path()) >> 20
    );
    let program = std::env::current_exe().expect("this program has a path");
    let opened = Command::new(program).arg("open").arg(directory.path().join("store")).status();
    assert!(opened.is_ok_and(|status| status.success()), "the store opens");
}

/// In a process of its own, so that its memory is its own.
fn open(directory: &Path) {
    let clock = Ticks::start();
    let (_store, opened) = DiskStore::open(directory, &Options::default(), || ()).expect("the store opens");
    let took = clock.passed();
    println!(
        "opened in {:.2} s, {} MiB of memory at most; snapshot at {}, {} slots after it",
        took.as_secs_f64(),
        own("status", "VmHWM:") >> 10,
        opened.snapshot.map_or(0, |snapshot| snapshot.slot.0),
        opened.delivered.len()
    );
}

/// Beside the program is a real disk.
fn scratch() -> TempDir {
    let program = std::env::current_exe().expect("this program has a path");
    let beside = program.parent().expect("a program is in a directory");
    tempfile::Builder::new().prefix("ftq-store-").tempdir_in(beside).expect("a directory")
}

fn cpu_us_per_slot(outcome: &Outcome, slots: u64) -> f64 {
    outcome.cpu_seconds * 1e6 / as_f64(outcome.groups * slots)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn as_usize(number: u64) -> usize {
    usize::try_from(number).expect("a small number")
}
