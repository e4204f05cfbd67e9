//! `ftqd --playground`: its first lines are enough to work with it and to try failures out, and nothing of it is left.

use super::program;
use ftq_tests::process::{CEILING, Ticks};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// One that runs, with what it says.
struct Playground {
    process: Child,
    says: Option<ChildStdin>,
    heard: Receiver<String>,
    /// What it said at first.
    greeting: Vec<String>,
}

impl Playground {
    fn start(replicas: &str, input: Stdio) -> Playground {
        let mut process = Command::new(program())
            .args(["ftqd", "--playground", replicas])
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a process");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let (tell, heard) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut playground = Playground { says: process.stdin.take(), process, heard, greeting: Vec::new() };
        playground.greeting = playground.hear("  quit ");
        playground
    }

    /// Waits for a line that begins so; all lines up to it.
    fn hear(&self, beginning: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.starts_with(beginning)) {
            lines.push(self.heard.recv_timeout(CEILING).unwrap_or_else(|_| panic!("no {beginning} after {lines:?}")));
        }
        lines
    }

    fn say(&mut self, line: &str) {
        writeln!(self.says.as_mut().expect("it listens"), "{line}").expect("it listens");
    }

    /// Runs the line to copy that has this in it.
    fn try_out(&self, what: &str) -> Output {
        let line = self.greeting.iter().find(|line| line.contains("ftqctl ") && line.contains(what));
        let words = line.expect("a line to copy").split_whitespace().skip_while(|word| *word != "ftqctl");
        let output = Command::new(program()).args(words).stdin(Stdio::null()).output().expect("ftqctl runs");
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn directory(&self) -> &Path {
        let line = self.greeting.iter().find_map(|line| line.strip_prefix("  data     ")).expect("it says where");
        Path::new(line.split(',').next().expect("a path"))
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal}");
    }

    /// It ends well, and leaves nothing.
    fn ends(&mut self) {
        let clock = Ticks::start();
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(clock.passed() < CEILING, "it does not end");
            clock.pause();
        };
        assert!(status.success(), "{status}");
        assert!(!self.directory().exists(), "{} is still there", self.directory().display());
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        // One that has ended can't be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn failures_are_tried_out_with_what_the_first_lines_say() {
    let mut playground = Playground::start("3", Stdio::piped());
    assert!(playground.directory().join("3.toml").exists());
    playground.try_out(" create hello");
    playground.try_out(" push hello world");
    // With one gone it goes on; with another one cut off there is no quorum; the one that comes back makes it one.
    playground.say("kill 1");
    playground.hear("replica 1 does not run any more");
    assert_eq!(playground.try_out(" pop hello").stdout, b"world\n");
    playground.say("cut 2 3");
    playground.hear("nothing passes between 2 and 3");
    playground.say("start 1");
    playground.hear("replica 1 runs");
    playground.try_out(" push hello world");
    playground.say("heal");
    playground.say("stop 2");
    playground.hear("replica 2 does not run any more");
    playground.say("stop 2");
    playground.hear("replica 2 does not run: start 2");
    assert_eq!(playground.try_out(" pop hello").stdout, b"world\n");
    playground.say("quit");
    playground.ends();
}

/// Cut off from both others, no replica of three serves; that is what somebody wants to see.
#[test]
fn without_a_quorum_nothing_is_served_until_it_is_back() {
    let mut playground = Playground::start("3", Stdio::piped());
    playground.try_out(" create hello");
    for cut in ["cut 1", "cut 2 3"] {
        playground.say(cut);
        playground.hear("nothing passes");
    }
    let line = playground.greeting.iter().find(|line| line.contains(" push ")).expect("a line to copy").clone();
    let words = line.split_whitespace().skip_while(|word| *word != "ftqctl");
    let push = Command::new(program()).args(words).args(["--timeout", "2"]).stdin(Stdio::null()).output();
    assert!(!push.expect("ftqctl runs").status.success(), "nobody hears anybody");
    playground.say("heal");
    playground.hear("everything passes");
    playground.try_out(" push hello world");
    playground.signal("INT");
    playground.ends();
}

#[test]
fn it_needs_nobody_who_types() {
    let mut playground = Playground::start("1", Stdio::null());
    playground.try_out(" create hello");
    playground.signal("TERM");
    playground.ends();
}

#[test]
fn what_makes_no_sense_is_refused() {
    for arguments in [&["--playground", "8"][..], &["--playground", "3", "--me", "1"]] {
        let mut command = Command::new(program());
        let mut process = command.arg("ftqd").args(arguments).stderr(Stdio::piped()).spawn().expect("a process");
        let mut said = String::new();
        process.stderr.take().expect("it is piped").read_to_string(&mut said).expect("text");
        assert_eq!(process.wait().expect("it ends").code(), Some(64), "{said}");
        assert!(said.contains("playground"), "{said}");
    }
}
