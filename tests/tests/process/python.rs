//! A second client, written in Python from `net/PROTOCOL.md` alone, does every operation, sealed and plain,
//! while a fifth of its datagrams are lost on the way in and on the way out.

use super::program;
use ftq_tests::process::Cluster;
use std::path::Path;
use std::process::Command;

const NEEDS: &str = "python3 with the packages msgpack and cryptography, or another interpreter named by FTQ_PYTHON";

fn run(script: &str, arguments: &[String]) {
    let python = std::env::var("FTQ_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let output = Command::new(python).arg("-B").arg(script).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{error}: this test needs {NEEDS}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error} (this test needs {NEEDS})");
}

fn every_operation(size: u8, sealed: bool, loss: &str) {
    let plain = if sealed { "off" } else { "admin" };
    let mut cluster = Cluster::configured(program(), size, &format!("client-plain = \"{plain}\""));
    let key = cluster.client_key("python", "admin");
    cluster.start_all();
    let mut arguments: Vec<String> = cluster.servers().iter().map(ToString::to_string).collect();
    arguments.extend(["--loss".to_owned(), loss.to_owned()]);
    if sealed {
        arguments.extend(["--key".to_owned(), key.display().to_string()]);
    }
    run("operations.py", &arguments);
}

#[test]
#[ignore = "needs python3 with msgpack and cryptography: .ci/run installs them and runs it"]
fn python_makes_the_vectors() {
    run("vectors.py", &[concat!(env!("CARGO_MANIFEST_DIR"), "/../net/vectors.txt").to_owned()]);
}

#[test]
#[ignore = "needs python3 with msgpack and cryptography: .ci/run installs them and runs it"]
fn python_does_every_operation_plain() {
    every_operation(1, false, "0");
    every_operation(3, false, "0.2");
}

#[test]
#[ignore = "needs python3 with msgpack and cryptography: .ci/run installs them and runs it"]
fn python_does_every_operation_sealed() {
    every_operation(1, true, "0");
    every_operation(3, true, "0.2");
}
