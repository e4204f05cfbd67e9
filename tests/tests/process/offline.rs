//! Orders for a directory in which there is no store of a cluster: they say what is there instead, and what to do.

use super::program;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub(super) fn ftqd(command: &str, directory: &Path, arguments: &[&str]) -> Output {
    let mut ftqd = Command::new(program());
    ftqd.args(["ftqd", command]).arg(directory).args(arguments).stdin(Stdio::null()).output().expect("ftqd runs")
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// It ends with this code, and says this to whoever asked and that to whoever reads the log.
pub(super) fn ends(output: &Output, code: i32, out: &str, error: &str) {
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{said}{complained}");
    assert!(said.contains(out) && complained.contains(error), "{said}{complained}");
}

/// The store that was meant is somewhere else, or gone: nothing can be "as it was", and nothing is left behind.
#[test]
fn where_no_store_is_the_directory_of_one_is_asked_for() {
    let place = tempfile::tempdir().expect("a directory");
    let [missing, empty, file] = ["missing", "empty", "file"].map(|name| place.path().join(name));
    fs::create_dir(&empty).expect("a directory");
    fs::write(&file, "text").expect("a file");
    for command in ["verify", "go-on-alone"] {
        for (directory, instead) in [(&missing, "does not exist"), (&empty, "is empty"), (&file, "is no directory")] {
            let output = ftqd(command, directory, &[]);
            let said = format!("{} {instead}: nothing was changed. Name the directory of a store", directory.display());
            ends(&output, 74, "", &said);
            ends(&output, 74, "", "`ftqd --check-config` says where a replica has its own");
            assert!(!text(&output.stderr).contains("as it was"), "{}", text(&output.stderr));
        }
    }
    let left = fs::read_dir(&empty).expect("it is still there").count();
    assert!(!missing.exists() && left == 0, "nothing was changed");
}

#[test]
fn what_is_no_store_of_a_cluster_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path();
    fs::write(place.join("notes"), "text").expect("a file");
    let said =
        format!("{} holds no store, but notes: nothing was changed. Name the directory of a store", place.display());
    for command in ["start-anew", "go-on-alone", "verify"] {
        let output = ftqd(command, place, &[]);
        ends(&output, 74, "", &said);
        assert!(!text(&output.stderr).contains("as it was"), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read_dir(place).expect("it is still there").count(), 1, "nothing was changed");
    // Perhaps it was one.
    fs::write(place.join("journal"), "text").expect("a file");
    let output = ftqd("verify", place, &[]);
    ends(&output, 65, "identity file: it is missing", "nothing says whose store is in ");
    ends(&output, 65, "", "If it was never one, name the directory of a store");
}

#[test]
fn a_store_of_no_cluster_does_not_go_on_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    ends(&ftqd("go-on-alone", directory.path(), &["--me", "64"]), 64, "", "1 to 63");
    let made = ftqd("start-anew", directory.path(), &[]);
    ends(&made, 0, "held no store, and has an empty one now", "");
    ends(&ftqd("verify", directory.path(), &[]), 0, "nothing is wrong", "");
    ends(&ftqd("go-on-alone", directory.path(), &["--yes"]), 65, "", "holds nothing of any cluster");
}
