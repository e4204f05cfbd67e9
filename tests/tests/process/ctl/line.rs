//! Everything that can be wrong with a command line, and what it means beside its command: keys, contexts, pipes, help.

use crate::program;
use crate::told::{Told, alone, check_failure};
use ftq_tests::process::Cluster;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn what_is_wrong_is_said_in_one_line_with_what_to_do() {
    let told = Told::new();
    told.fails("pussh letters a", 64, "did you mean `push`?");
    told.fails("pop letters --cuont 2", 64, "did you mean `--count`? `ftqctl pop --help`");
    told.fails("", 64, "`ftqctl --help` lists the commands");
    told.fails("pop letters", 1, "letters: no such label; `ftqctl list` shows the queues");
    told.fails("pop @x", 64, "the id of a queue");
    told.fails("pop @77", 1, "@77: no such queue");
    told.fails(&format!("create {}", "x".repeat(256)), 64, "bad label");
    told.fails("pop letters --count many", 64, "many");
    told.fails("pop letters --wait never", 64, "never: expected a number of seconds");
    told.fails("getid --count 0", 64, "bad count");
    told.fails("ack letters 3", 64, "a receipt is POSITION.TOKEN");
    told.fails("ack letters", 64, "at least one receipt");
    told.fails("set letters", 64, "say what to set");
    told.fails("work letters", 64, "behind --");
    told.fails("completions tcsh", 64, "bash, zsh or fish");
    told.fails("key list /no/such/file", 1, "there is no such key file");
    told.fails("status -o xml", 64, "xml: the output is table or json");
    check_failure("no time", &alone("status --timeout 0"), 64, "0: expected a number of seconds above 0");
    told.fails("status --context home", 64, "there is no context home");
    told.fails("status --server nowhere.invalid", 64, "nowhere.invalid");
    check_failure("far", &alone("size x --server 192.0.2.1"), 64, "192.0.2.1:7410 is on another machine");
    check_failure(
        "silent",
        &alone("size x --server 127.0.0.1:9 --timeout 1"),
        2,
        "is ftqd running, is --server right?",
    );
}

/// Nobody reads what is shown: that is no failure, unless what is shown is gone from where it was.
#[test]
fn a_broken_pipe_is_quiet_or_says_what_is_lost() {
    let told = Told::new();
    told.says("create letters", "1\n");
    told.says("push letters a b", "");
    let ended = |line: &str| {
        let mut child = told.start(line, Stdio::null(), Stdio::piped());
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
        (child.wait().expect("it ends").code(), error)
    };
    for line in ["list", "status", "browse letters", "--help", "show letters -o json"] {
        assert_eq!(ended(line), (Some(0), String::new()), "{line}");
    }
    for (line, said) in [("pop letters", "is lost"), ("getid", "is lost"), ("take letters", "goes back later")] {
        let (code, error) = ended(line);
        assert!(code == Some(3) && error.contains(said) && error.lines().count() == 1, "{line}: {code:?} {error}");
    }
}

#[test]
fn a_key_is_taken_from_a_file_that_nobody_else_can_read() {
    let mut cluster = Cluster::configured(program(), 3, "client-plain = \"off\"");
    let (app, watch) = (cluster.client_key("app", "write"), cluster.client_key("watch", "read"));
    cluster.start_all();
    let told = Told { cluster };
    let (app, watch) = (app.display().to_string(), watch.display().to_string());
    told.says(&format!("create letters --key {app}"), "1\n");
    told.says(&format!("--key {watch} size letters"), "0\n");
    told.fails(&format!("push letters a --key {watch}"), 1, "it takes one with a higher role");
    told.fails(&format!("member remove 3 --key {app}"), 1, "it takes one with a higher role");
    assert_eq!(told.json(&format!("status --key {watch}"))["quorum"], true);
    let listed = told.json(&format!("key list {app}"));
    assert_eq!(listed, json!({ "keys": [{ "kind": "client", "name": "app", "role": "write" }] }));
    let output = told.cluster.ctl_within(Duration::from_secs(1), &["size", "letters"]);
    check_failure("plain", &output, 2, "no server answers");
    let stranger = told.cluster.keys().with_file_name("stranger");
    fs::write(&stranger, format!("client app write {}\n", "ab".repeat(32))).expect("a file");
    fs::set_permissions(&stranger, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let stranger = stranger.display().to_string();
    let output = told.cluster.ctl_within(Duration::from_secs(1), &["size", "letters", "--key", &stranger]);
    check_failure("another key", &output, 2, "no server answers");
    fs::set_permissions(&app, fs::Permissions::from_mode(0o644)).expect("it is ours");
    told.fails(&format!("size letters --key {app}"), 64, "others can read");
}

#[test]
fn a_context_says_who_is_meant() {
    let cluster = crate::cluster(3);
    let home = tempfile::tempdir().expect("a directory");
    let directory = home.path().join("ftq");
    fs::create_dir(&directory).expect("a directory");
    let servers: Vec<String> = cluster.servers().iter().map(|server| format!("\"{server}\"")).collect();
    let text = format!(
        "default = \"here\"\n[context.here]\nservers = [{}]\noutput = \"json\"\n[context.gone]\nservers = [\"127.0.0.1:9\"]\ntimeout = 1\n",
        servers.join(", ")
    );
    fs::write(directory.join("ctl.toml"), text).expect("a file");
    let ctl = |line: &str| {
        let mut command = Command::new(program());
        command.arg("ftqctl").args(line.split_whitespace()).env("XDG_CONFIG_HOME", home.path());
        command.stdin(Stdio::null()).output().expect("ftqctl runs")
    };
    assert_eq!(ctl("create letters").stdout, b"{\"queue\":1}\n");
    assert_eq!(ctl("id letters -o table").stdout, b"1\n", "the command line goes first");
    check_failure("gone", &ctl("id letters --context gone -o table"), 2, "no server answers");
    check_failure("none", &ctl("id letters --context hree"), 64, "there are gone, here");
    fs::write(directory.join("ctl.toml"), "[context.x]\ncolour = 1\n").expect("a file");
    check_failure("bad", &ctl("list"), 64, "ctl.toml: unknown field `colour`");
}

#[test]
fn help_and_completions_know_every_command() {
    let help = String::from_utf8(alone("--help").stdout).expect("text");
    let commands = [
        "create", "destroy", "push", "pop", "list", "browse", "take", "work", "dead", "getid", "status", "members",
        "views", "log", "snapshot", "check", "doctor", "verify", "key",
    ];
    for shell in ["bash", "zsh", "fish"] {
        let output = alone(&format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).expect("text");
        for command in commands {
            assert!(help.contains(command) && script.contains(command), "{command} in {shell}");
        }
    }
    assert_eq!(alone("--version").stdout, format!("ftqctl {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

/// The script does in bash what it is for.
#[test]
fn bash_completes_commands_options_and_files() {
    let script = String::from_utf8(alone("completions bash").stdout).expect("text");
    let complete = |line: &str| {
        let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
        let test = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _ftqctl; echo \"${{COMPREPLY[*]}}\"",
            words.join(" ")
        );
        let output = Command::new("bash").args(["-c", &test]).output().expect("bash runs");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    assert_eq!(complete("ftqctl pu"), "push purge");
    assert_eq!(complete("ftqctl --timeout 3 pop letters --c"), "--count --context");
    assert_eq!(complete("ftqctl dead "), "list retry --help --server --key --timeout --output --context --version");
    assert_eq!(complete("ftqctl status -o "), "table json");
}
