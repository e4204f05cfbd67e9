//! What was reported survives `kill -9`, and the store opens whole each time: a short version of
//! `ftq-torture cuts kill`.

use ftq_tests::torture::{Kind, Plan, cuts};
use std::path::PathBuf;

#[test]
fn what_was_reported_survives_kill_9() {
    let plan = Plan {
        kind: Kind::Kill,
        file_system: String::new(),
        rounds: 30,
        seed: 1,
        life_ms: 300,
        wrapper: None,
        no_barrier: false,
        program: PathBuf::from(env!("CARGO_BIN_EXE_ftq-torture")),
    };
    let toll = cuts(&plan).unwrap_or_else(|what| panic!("{what}"));
    println!("{toll}");
    assert!(toll.reports > 0 && toll.openings > 15, "the victims live long enough to do something: {toll}");
}
