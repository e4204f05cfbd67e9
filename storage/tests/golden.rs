//! A store that was written by each version of the format opens, with the same contents.
//!
//! The stores are kept as what is not zero of their files: lines of `name offset hex`, `name size bytes`.
//! `FTQ_GOLDEN=1 cargo test -p ftq-storage --test golden -- --ignored` writes the one of this version.

mod common;

use common::*;
use ftq_core::electorate::Electorate;
use ftq_core::ids::{BootId, ClusterId, Digest, Slot, StoreId};
use ftq_core::store::{Condition, Heard, Job, Mark};
use ftq_storage::disk::{FORMAT, Options};
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

/// What is zero for this long is left out.
const GAP: usize = 32;

fn kept(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format-{format}.txt"))
}

fn options() -> Options {
    Options { cluster: Some(ClusterId([8; 16])), ..SMALL }
}

/// What was heard of another store; format 1 did not write it down.
fn heard(format: u32) -> Vec<Heard> {
    let mark = Mark { ordinal: 300, promise: ballot(4), view: ballot(3), end: Slot(12) };
    if format == 1 { Vec::new() } else { vec![Heard { store: StoreId([9; 16]), boot: BootId([7; 16]), mark }] }
}

/// What slots had said of the cluster; the formats before 3 did not write it down.
fn told(format: u32) -> Option<Electorate> {
    (format >= 3).then(|| electorate(7))
}

#[test]
fn the_stores_of_all_formats_open() {
    for format in 1..=FORMAT {
        let directory = tempdir().unwrap();
        unpack(&fs::read_to_string(kept(format)).unwrap(), directory.path());
        let (_bench, opened) = Bench::try_open(directory.path(), &options()).unwrap();
        let log = slots(0, Digest(0), 20, 1, 40);
        assert_eq!((opened.condition, opened.heard), (Condition::Whole, heard(format)), "format {format}");
        assert_eq!(opened.promise, ballot(9), "format {format}");
        assert_eq!(opened.electorate, told(format), "format {format}");
        assert_eq!((opened.view, opened.configuration), (view(5), Some(configuration(0b111))), "format {format}");
        let same = [6; 300];
        assert_eq!(opened.snapshot, Some(snapshot(&log[7], &[b"golden", &same])), "format {format}");
        assert_eq!(opened.delivered, log[8..14], "format {format}");
        assert_eq!(opened.tail, [&log[14..16], &slots(16, log[15].digest, 3, 5, 40)[..]].concat(), "format {format}");
    }
}

#[test]
#[ignore = "it writes the golden store of this version"]
fn write_the_store_of_this_format() {
    if std::env::var_os("FTQ_GOLDEN").is_none() {
        return;
    }
    let directory = tempdir().unwrap();
    let (mut bench, _) = Bench::try_open(directory.path(), &options()).unwrap();
    let log = slots(0, Digest(0), 20, 1, 40);
    bench.submit(append(log.clone()));
    bench.submit(Job::Heard { marks: heard(FORMAT) });
    bench.submit(Job::Electorate { electorate: electorate(7) });
    bench.delivered(14);
    bench.snapshotted(snapshot(&log[7], &[b"golden", &[6; 300]]));
    bench.submit(Job::Cut { below: Slot(5) });
    bench.durable(install(5, 16, slots(16, log[15].digest, 3, 5, 40)));
    bench.durable(Job::Promise { ballot: ballot(9) });
    drop(bench);
    fs::create_dir_all(kept(FORMAT).parent().unwrap()).unwrap();
    fs::write(kept(FORMAT), pack(directory.path())).unwrap();
}

fn pack(directory: &Path) -> Vec<u8> {
    let mut packed = Vec::new();
    for name in ["identity", "journal", "sled/conf", "sled/db"] {
        let bytes = fs::read(directory.join(name)).unwrap();
        let mut at = 0;
        while let Some(start) = (at..bytes.len()).find(|at| bytes[*at] != 0) {
            let is_gap = |end: &usize| bytes[*end..bytes.len().min(*end + GAP)].iter().all(|byte| *byte == 0);
            let end = (start..bytes.len()).find(is_gap).unwrap_or(bytes.len());
            let hex: String = bytes[start..end].iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(packed, "{name} {start} {hex}").unwrap();
            at = end;
        }
        writeln!(packed, "{name} size {}", bytes.len()).unwrap();
    }
    packed
}

fn unpack(packed: &str, directory: &Path) {
    fs::create_dir_all(directory.join("sled")).unwrap();
    for line in packed.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, at, value] = words[..] else { panic!("{line}") };
        let file = fs::File::options().create(true).truncate(false).write(true).open(directory.join(name)).unwrap();
        if at == "size" {
            file.set_len(value.parse().unwrap()).unwrap();
        } else {
            let byte = |at| u8::from_str_radix(&value[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..value.len()).step_by(2).map(byte).collect();
            file.write_all_at(&bytes, at.parse().unwrap()).unwrap();
        }
    }
}
