//! What a story believes, and what it does not.

use super::Story;

const WORK: &str = "\
opened Whole 0 0 0 0 0 0 00 0 0 .
job 1 append 1 01,02,03 .
job 2 promise 4 .
durable 2 .
deliver 2 .
delivered 2 .
job 3 install 4 2 13,14 .
job 4 append 5 15,16 .
snapshot 2 .
hear 7 .
";

/// What a story of this work says to an opening that finds this.
fn found(opening: &str) -> Result<(), String> {
    let mut story = Story::default();
    for line in WORK.lines() {
        story.line(line).expect("nothing is wrong with it");
    }
    story.line(&format!("opened {opening} 0 0 ."))
}

#[test]
fn it_believes_what_stood_after_some_job() {
    for whole in [
        "Whole 4 0 2 0 2 0 02,03",
        "Whole 4 4 2 0 3 0 02,13,14",
        "Whole 4 4 2 0 3 0 02,13,14,15",
        "Whole 4 4 2 2 4 7 02,13,14,15,16",
    ] {
        assert_eq!(found(whole), Ok(()), "{whole}");
    }
}

#[test]
fn it_believes_nothing_else() {
    for (wrong, why) in [
        ("Hollow 4 0 2 0 2 0 02,03", "it opens Hollow"),
        ("Whole 0 0 2 0 2 0 02,03", "not what stood"),
        ("Whole 4 0 2 0 2 0 02", "not what stood"),
        ("Whole 4 4 2 0 3 0 02,13", "not what stood"),
        ("Whole 4 4 2 0 3 0 02,03", "not what stood"),
        ("Whole 4 0 2 0 3 0 02,13,14", "not what stood"),
        ("Whole 4 4 2 0 4 0 02,13,14,16", "not what stood"),
        ("Whole 4 4 2 0 4 0 02,13,14,15,16,17", "not what stood"),
        ("Whole 4 0 1 0 2 0 01,02,03", "delivered 1, reported 2"),
        ("Whole 4 0 3 0 2 0 03", "delivered 3, reported 2, asked for 2"),
        ("Whole 4 0 2 3 2 0 02,03", "a snapshot at 3, reported 0, asked for 2"),
        ("Whole 4 0 2 0 2 8 02,03", "heard 8, reported 0, asked for 7"),
    ] {
        let verdict = found(wrong);
        assert!(verdict.as_ref().is_err_and(|what| what.contains(why)), "{wrong}: {verdict:?}");
    }
}

#[test]
fn what_was_found_is_what_must_be_found_again() {
    let mut story = Story::default();
    let mut line = |line: &str| story.line(line);
    line("opened Whole 0 0 0 0 0 0 00 0 0 .").unwrap();
    line("job 1 append 1 01,02 .").unwrap();
    line("opened Whole 0 0 0 0 1 0 00,01,02 0 0 .").unwrap();
    assert!(line("opened Whole 0 0 0 0 1 0 00,01 0 0 .").is_err(), "opening has synced it");
    assert!(line("opened Whole 0 0 0 0 0 0 00,01,02 0 0 .").is_err(), "the ordinal falls");
    line("opened Whole 0 0 0 0 1 0 00,01,02 0 0 .").unwrap();
    line("job 1 catch-up 1 01,12,13 .").unwrap();
    line("durable 1").expect("a line that was cut off says nothing");
    line("opened Whole 0 0 2 0 1 0 12 0 0 .").expect("its first slots");
    line("job 1 adopt 9 99 .").unwrap();
    line("durable 1 .").unwrap();
    assert!(line("opened Whole 0 0 2 0 1 0 12 0 0 .").is_err(), "it was adopted");
    line("opened Whole 0 0 9 9 1 0 99 0 0 .").unwrap();
}
