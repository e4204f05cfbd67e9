//! One seed is one run: the same events at the same times, byte for byte.

use ftq_tests::faults::Profile;
use ftq_tests::run::run;
use ftq_tests::trace::Trace;

#[test]
fn a_seed_gives_the_same_run_twice() {
    for seed in 1..=20 {
        let first = run(Profile::Mix, seed, Trace::Collect(String::new()));
        let second = run(Profile::Mix, seed, Trace::Collect(String::new()));
        assert!(!first.text.is_empty());
        assert_eq!(first.text, second.text, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
    }
}

#[test]
fn another_seed_gives_another_run() {
    let texts: Vec<String> = (1..=3).map(|seed| run(Profile::Mix, seed, Trace::Collect(String::new())).text).collect();
    assert!(texts[0] != texts[1] && texts[1] != texts[2]);
}
