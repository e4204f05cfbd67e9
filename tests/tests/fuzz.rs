//! The bodies of the fuzz targets over the committed corpus and over mutations of it: nothing panics, and
//! what an input may cost is bounded.

use ftq_core::chance::Chance;
use ftq_tests::fuzz::{TARGETS, Target, mutate, seeds};
use std::fs;
use std::path::PathBuf;

/// Mutated inputs of each target; libFuzzer does many more.
const MUTATIONS: usize = 40_000;

/// What an input may make allocated at one time, beside a multiple of its own length.
const BYTES_MAX: u64 = 4 << 20;

fn corpus(target: Target) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name)
}

fn files(target: Target) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(corpus(target)).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

fn feed(target: Target, bytes: &[u8]) {
    let took = allocation_counter::measure(|| (target.body)(bytes));
    let bound = BYTES_MAX + 64 * bytes.len() as u64;
    assert!(took.bytes_max < bound, "{}: {} bytes for an input of {}", target.name, took.bytes_max, bytes.len());
}

#[test]
fn the_corpus_has_a_real_one_of_each() {
    for target in TARGETS {
        let files = files(target);
        for seed in seeds(target.name) {
            assert!(files.contains(&seed), "{}: run the ignored test that writes the corpus", target.name);
        }
    }
}

#[test]
fn nothing_in_the_corpus_does_any_harm() {
    for target in TARGETS {
        files(target).iter().for_each(|bytes| feed(target, bytes));
    }
}

#[test]
fn no_mutation_of_it_does_any_harm() {
    for target in TARGETS {
        let files = files(target);
        let mut chance = Chance::new(5);
        for number in 0..MUTATIONS {
            feed(target, &mutate(&files[number % files.len()], &mut chance));
        }
    }
}

#[test]
#[ignore = "writes the seeds into tests/fuzz/corpus"]
fn write_the_corpus() {
    for target in TARGETS {
        fs::create_dir_all(corpus(target)).expect("a directory");
        for (number, seed) in seeds(target.name).iter().enumerate() {
            fs::write(corpus(target).join(format!("seed-{number:02}")), seed).expect("a file");
        }
    }
}
