//! What can't be started says all that is wrong, with an exit code of its own; what can says what it comes to.

use super::{cluster, program};
use std::fs;
use std::process::{Command, Output};

fn ftqd(configuration: &str, name: &str) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join(name);
    fs::write(&file, configuration).expect("a file");
    Command::new(program()).args(["ftqd", "--config"]).arg(file).output().expect("it runs")
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let whole = "cluster = \"c\"\nme = 1\ndata-dir = \"unused\"\n[[members]]\nid = 1\npeer = \"127.0.0.1:7411\"\n";
    for (from, to, reason) in [
        ("me = 1", "me = 2", "none of the members"),
        ("127.0.0.1", "10.0.0.1", "ftqctl key new"),
        ("data-dir", "data-drr", "bad.toml:3: data-drr: there is no such key; did you mean data-dir?"),
    ] {
        let output = ftqd(&whole.replace(from, to), "bad.toml");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{error}");
        assert!(error.contains("bad.toml") && error.contains(reason), "{error}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let output = ftqd("cluster = \"c\"\nme = 1\nordre = \"fixed\"\nclient = \"here\"\nlog = \"loud\"\n", "bad.toml");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{error}");
    for line in ["bad.toml:3: ordre:", "bad.toml:4: client:", "bad.toml:5: log:"] {
        assert_eq!(error.matches(line).count(), 1, "{error}");
    }
}

/// What is printed is a file that says the same, and that can be begun with.
#[test]
fn the_printed_configuration_is_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.arg("ftqd").args(arguments).env("FTQD_DATA_DIR", directory.path().join("data")).env("FTQD_ME", "1");
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let printed = run(&["--print-config"]);
    let file = directory.path().join("printed.toml");
    fs::write(&file, &printed).expect("a file");
    let file = file.to_str().expect("a path");
    assert_eq!(run(&["--config", file, "--print-config"]), printed);
    assert!(run(&["--config", file, "--check-config"]).contains("replica 1 of cluster \"local\", alone"));
    assert!(run(&["--version"]).contains("store             format"));
}

#[test]
fn a_second_daemon_with_the_same_address_or_data_is_refused() {
    let cluster = cluster(1);
    let same = format!(
        "cluster = \"c\"\nme = 1\nclient = \"{}\"\ndata-dir = \"unused\"\n[[members]]\nid = 1\npeer = \"127.0.0.1:0\"\n",
        cluster.server(1)
    );
    assert_eq!(ftqd(&same, "same-address.toml").status.code(), Some(69));
    let same = format!(
        "cluster = \"test\"\nme = 1\nclient = \"127.0.0.1:0\"\ndata-dir = \"{}\"\n[[members]]\nid = 1\npeer = \"127.0.0.2:0\"\n",
        cluster.data(1).display()
    );
    let output = ftqd(&same, "same-data.toml");
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use by another process"));
}

/// What the service begins with is right, and so is each default that it names; it names all of them.
#[test]
fn the_shipped_configuration_tells_the_truth() {
    let shipped = include_str!("../../../systemd/ftqd.toml");
    let is_key = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let set =
        |line| Some(line).and_then(|line: &str| line.strip_prefix("# ")).filter(|line| is_key(line)).unwrap_or(line);
    let spelled: Vec<&str> = shipped.lines().map(set).collect();
    let print = |text: &str| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("ftqd.toml");
        fs::write(&file, text).expect("a file");
        let mut command = Command::new(program());
        command.args(["ftqd", "--print-config", "--config"]).arg(file).env("STATE_DIRECTORY", "/var/lib/ftq");
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let printed = print(shipped);
    assert_eq!(print(&spelled.join("\n")), printed);
    for key in printed.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key.trim_start_matches("# ")) {
        assert!(shipped.contains(&format!("{key} = ")), "{key} is not in systemd/ftqd.toml");
    }
}

#[test]
fn a_store_is_looked_at_offline() {
    let mut cluster = cluster(1);
    let look = |directory: &std::path::Path| {
        let output = Command::new(program()).args(["ftqd", "verify"]).arg(directory).output().expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = look(&cluster.data(1));
    assert_eq!(code, Some(74), "{said}");
    assert!(said.contains("in use by another process"), "{said}");
    cluster.kill(1);
    let (code, said) = look(&cluster.data(1));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing is wrong with the store"), "{said}");
    fs::remove_file(cluster.data(1).join("journal")).expect("there was one");
    let (code, said) = look(&cluster.data(1));
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains("WRONG journal: it is missing") && said.contains("1 thing is wrong"), "{said}");
}
