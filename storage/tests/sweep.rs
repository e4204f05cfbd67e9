//! Every way to damage a small store: each byte flipped, each page zeroed, each file cut anywhere, swapped or removed.
//! It opens whole, or what is lost is noticed and said. It never panics, and is never silently different; and a look
//! at it finds fault wherever opening does.
//!
//! The test takes a spread of the bytes. `FTQ_SWEEP=all cargo test -p ftq-storage --test sweep` takes all that are used,
//! which is some ten thousand openings.

mod common;

use common::*;
use ftq_core::ids::Digest;
use ftq_core::store::{Condition, Heard, Job, Mark, Opened};
use ftq_storage::disk::{OpenError, verify};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Of each file so many bytes are flipped, and it is cut at so many places, if not all are wanted.
const FLIPS: usize = 40;
const CUTS: usize = 12;

/// What a disk loses at once.
const PAGE: usize = 4096;

/// One way to damage a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
    Zero(usize),
    /// What is in it instead: the same file of another store, or of this one when it was younger.
    Swap(&'static str, Vec<u8>),
    Remove,
}

/// What opening makes of it.
#[derive(Debug, Default)]
struct Tally {
    whole: u64,
    hollow: u64,
    forgetful: u64,
    refused: u64,
}

/// In memory where that is possible: nothing here depends on the disk.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A small store with something of everything; what it holds; and what its files were before the last part of it.
fn prepared(view: u64) -> (TempDir, Opened, BTreeMap<PathBuf, Vec<u8>>) {
    let directory = scratch();
    let (mut bench, _) = Bench::open(directory.path());
    let log = slots(0, Digest(0), 30, view, 60);
    bench.durable(install(view, 0, Vec::new()));
    bench.submit(append(log[..20].to_vec()));
    bench.delivered(9);
    let heard = Heard {
        store: opened_store(),
        boot: ftq_core::ids::BootId([1; 16]),
        mark: Mark { ordinal: 3, ..Mark::default() },
    };
    bench.submit(Job::Heard { marks: vec![heard] });
    bench.snapshotted(snapshot(&log[5], &[b"one", &[2; 300]]));
    bench.submit(Job::Cut { below: log[3].slot });
    bench.durable(Job::Promise { ballot: ballot(view + 1) });
    drop(bench);
    drop(Bench::open(directory.path()));
    let younger = files(directory.path());
    let (mut bench, _) = Bench::open(directory.path());
    bench.delivered(15);
    bench.durable(append(log[20..].to_vec()));
    bench.durable(install(view + 2, 25, slots(25, log[24].digest, 3, view + 2, 40)));
    bench.durable(Job::Promise { ballot: ballot(view + 3) });
    drop(bench);
    // The journal's mark tells of what was archived from here on.
    let (bench, opened) = Bench::open(directory.path());
    assert_eq!((opened.delivered.len(), opened.tail.len(), opened.condition), (9, 13, Condition::Whole));
    drop(bench);
    (directory, opened, younger)
}

fn opened_store() -> ftq_core::ids::StoreId {
    ftq_core::ids::StoreId([7; 16])
}

/// The files of a store that say something, by their names, and what is in them. A lock and a ballast say nothing.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(directory).unwrap().to_owned();
            if path.is_dir() {
                directories.push(path);
            } else if !["lock", "ballast"].iter().any(|says_nothing| name == Path::new(says_nothing)) {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn write(files: &BTreeMap<PathBuf, Vec<u8>>, directory: &Path) {
    for (name, bytes) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    // sled wants it.
    drop(fs::create_dir_all(directory.join("sled/blobs")));
}

/// What is to be done to a file.
fn damages(bytes: &[u8], all: bool, others: [(&'static str, Option<&Vec<u8>>); 2]) -> Vec<Damage> {
    let spread = |places: Vec<usize>, n: usize| {
        let step = if all { 1 } else { places.len() / n + 1 };
        places.into_iter().step_by(step).collect::<Vec<usize>>()
    };
    let used: Vec<usize> = (0..bytes.len()).filter(|at| !matches!(bytes[*at], 0 | 255)).collect();
    let unused = (0..bytes.len()).step_by(bytes.len() / 7 + 1);
    // Where nothing is used, one place is as good as another.
    let last = used.last().map_or(0, |last| last + 2).min(bytes.len());
    let cuts = spread((0..last).collect(), CUTS).into_iter().step_by(if all { 37 } else { 1 });
    let pages = used.iter().map(|at| at / PAGE * PAGE).collect::<std::collections::BTreeSet<usize>>();
    let swaps = others.into_iter().filter_map(|(whose, other)| Some(Damage::Swap(whose, other?.clone())));
    (spread(used, FLIPS).into_iter().chain(unused).map(Damage::Flip))
        .chain(cuts.map(Damage::Cut))
        .chain(pages.into_iter().map(Damage::Zero))
        .chain(swaps)
        .chain([Damage::Remove])
        .collect()
}

fn damage(path: &Path, damage: &Damage) {
    let mut bytes = fs::read(path).unwrap();
    match damage {
        Damage::Flip(at) => bytes[*at] ^= 0x10,
        Damage::Cut(at) => bytes.truncate(*at),
        Damage::Zero(at) => bytes.iter_mut().skip(*at).take(PAGE).for_each(|byte| *byte = 0),
        Damage::Swap(_, other) => bytes.clone_from(other),
        Damage::Remove => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

/// Whether what was found is what was there, or says what it lacks.
fn judge(found: Result<Opened, OpenError>, opened: &Opened, is_younger: bool, tally: &mut Tally) -> Result<(), String> {
    let found = match found {
        Ok(found) => found,
        Err(OpenError::Newer { .. }) => {
            tally.refused += 1;
            return Ok(());
        }
        Err(other) => return Err(format!("it does not open: {other}")),
    };
    let all = |opened: &Opened| [opened.delivered.clone(), opened.tail.clone()].concat();
    let chains = all(opened).iter().all(|record| {
        let same = |other: &&ftq_core::store::SlotRecord| other.slot == record.slot;
        all(&found).iter().find(same).is_none_or(|other| other == record)
    });
    let accepted = found.tail.ends_with(&opened.tail) && found.promise == opened.promise && found.view == opened.view;
    let is_right = match found.condition {
        // Slots that the archive has lost at its end are in the journal; a snapshot that it has lost, in its log.
        Condition::Whole if is_younger => chains && found.shown.ordinal <= opened.shown.ordinal,
        Condition::Whole => {
            tally.whole += 1;
            accepted && all(&found).ends_with(&all(opened)) && found.store == opened.store && {
                found.snapshot == opened.snapshot || found.delivered.first().is_some_and(|first| first.slot.0 <= 4)
            }
        }
        Condition::Hollow { base, .. } => {
            tally.hollow += 1;
            (accepted || is_younger) && base <= opened.tail[0].slot.previous() && found.store == opened.store
        }
        Condition::Forgetful => {
            tally.forgetful += 1;
            found.store != opened.store && found.tail.is_empty() && found.promise.is_none() && chains
        }
    };
    if is_right { Ok(()) } else { Err(format!("it is silently different: {:?} {:?}", found.condition, found.shown)) }
}

#[test]
fn no_damage_goes_unnoticed() {
    let all = std::env::var("FTQ_SWEEP").is_ok_and(|sweep| sweep == "all");
    let (store, opened, younger) = prepared(1);
    let (other, _, _) = prepared(11);
    let (whole, other) = (files(store.path()), files(other.path()));
    let mut bad = Vec::new();
    for (name, bytes) in &whole {
        let mut tally = Tally::default();
        let others = [("another store", other.get(name)), ("a younger self", younger.get(name))];
        let damages = damages(bytes, all, others);
        for (number, how) in damages.iter().enumerate() {
            let directory = scratch();
            write(&whole, directory.path());
            damage(&directory.path().join(name), how);
            // A look takes as long as opening.
            let looks = !all || number % 8 == 0;
            let fault =
                looks.then(|| verify(directory.path()).map(|found| found.iter().any(|finding| finding.is_wrong)));
            let found = Bench::try_open(directory.path(), &SMALL).map(|(_, found)| found);
            let is_whole = found.as_ref().is_ok_and(|found| found.condition == Condition::Whole);
            let is_younger = matches!(how, Damage::Swap("a younger self", _));
            let judged = judge(found, &opened, is_younger, &mut tally);
            let looked = match fault {
                Some(Ok(false)) if !is_whole => Err("a look finds nothing wrong".to_owned()),
                Some(Ok(_) | Err(_)) | None => Ok(()),
            };
            if let Err(what) = judged.and(looked) {
                let how = format!("{how:?}").chars().take(40).collect::<String>();
                bad.push(format!("{}, {how}: {what}", name.display()));
            }
        }
        println!("{}: {} of {} bytes, {tally:?}", name.display(), damages.len(), bytes.len());
    }
    assert!(bad.is_empty(), "{} of them:\n{}", bad.len(), bad[..bad.len().min(30)].join("\n"));
}
