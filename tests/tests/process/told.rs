//! What `ftqctl` is to say of a real cluster, and how it is run.

use super::program;
use ftq_tests::process::{Cluster, pause};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A cluster, and what `ftqctl` is to say of it.
pub(super) struct Told {
    pub(super) cluster: Cluster,
}

impl Told {
    pub(super) fn new() -> Told {
        Told { cluster: super::cluster(3) }
    }

    pub(super) fn ctl(&self, line: &str) -> Output {
        self.cluster.ctl(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// It is done, and says this and nothing else.
    pub(super) fn says(&self, line: &str, out: &str) {
        let output = self.ctl(line);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), error.as_str()), (Some(0), ""), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), out, "{line}");
    }

    /// It is done, if not at once.
    pub(super) fn says_in_time(&self, line: &str) {
        until(|| self.ctl(line), |output| output.status.success());
    }

    /// It is done, and says a JSON document.
    pub(super) fn json(&self, line: &str) -> Value {
        let output = self.ctl(&format!("-o json {line}"));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), error.as_str()), (Some(0), ""), "{line}");
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    }

    /// Waits until each replica has done what was asked for so far: who shows its log may be behind.
    pub(super) fn level(&self) {
        self.cluster.members().for_each(|member| self.cluster.wait_until_level(member));
    }

    pub(super) fn fails(&self, line: &str, code: i32, reason: &str) {
        check_failure(line, &self.ctl(line), code, reason);
    }

    /// Runs `ftqctl` with this on its standard input.
    pub(super) fn fed(&self, line: &str, input: &[u8]) -> Output {
        let mut child = self.start(line, Stdio::piped(), Stdio::piped());
        child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
        child.wait_with_output().expect("it ends")
    }

    pub(super) fn start(&self, line: &str, input: Stdio, output: Stdio) -> Child {
        let mut command = Command::new(program());
        command.arg("ftqctl").stdin(input).stdout(output).stderr(Stdio::piped());
        self.cluster.servers().iter().for_each(|server| {
            command.args(["--server", &server.to_string()]);
        });
        command.args(line.split_whitespace()).spawn().expect("ftqctl runs")
    }
}

pub(super) fn check_failure(line: &str, output: &Output, code: i32, reason: &str) {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{line}: {error}");
    assert!(error.contains(reason) && error.lines().count() == 1, "{line}: {error}");
    assert!(output.stdout.is_empty(), "{line}");
}

/// Runs `ftqctl` with nothing else than this line.
pub(super) fn alone(line: &str) -> Output {
    let mut command = Command::new(program());
    command.arg("ftqctl").args(line.split_whitespace()).env_remove("XDG_CONFIG_HOME").env("HOME", "/nowhere");
    command.stdin(Stdio::null()).output().expect("ftqctl runs")
}

pub(super) fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Looks again and again until it is as it should be.
pub(super) fn until<T: std::fmt::Debug>(look: impl Fn() -> T, is_right: impl Fn(&T) -> bool) -> T {
    let clock = ftq_tests::process::Ticks::start();
    loop {
        let seen = look();
        if is_right(&seen) {
            return seen;
        }
        assert!(clock.passed() < ftq_tests::process::CEILING, "{seen:?}");
        pause(Duration::from_millis(100));
    }
}
