//! New keys. They are drawn here and go nowhere but where they were asked to.

use crate::Failure;
use crate::arguments::{KeyCommand, KeyNew};
use ftq_net::keys::{self, ClientKey, Keys, Role, SECRET_BYTES, Secret};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Nobody but the owner can read or write it.
const MODE: u32 = 0o600;

/// Does what was asked for.
pub(crate) fn perform(command: &KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::New(asked) => new(asked),
    }
}

fn new(asked: &KeyNew) -> Result<(), Failure> {
    let mut drawn = [0; SECRET_BYTES];
    getrandom::fill(&mut drawn).map_err(|error| Failure::No(format!("no random bytes: {error}")))?;
    let secret = Secret::new(drawn);
    let line = match (&asked.client, asked.role) {
        (None, None) => format!("cluster {}\n", secret.digits()),
        (None, Some(_)) => return Err(Failure::Usage("--role is for a client's key: say --client too".to_owned())),
        (Some(name), _) if !ClientKey::may_be_called(name) => {
            return Err(Failure::Usage(format!("{name}: a name is 1 to 64 letters, digits, '-', '_' or '.'")));
        }
        (Some(name), role) => format!("client {name} {} {}\n", role.unwrap_or(Role::Write), secret.digits()),
    };
    match &asked.file {
        None => io::stdout().write_all(line.as_bytes()).map_err(|error| Failure::No(format!("not shown: {error}"))),
        Some(path) => add(path, &line),
    }
}

/// Adds a line to a key file, which has to be one afterwards too.
fn add(path: &Path, line: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::No(format!("{}: {error}", path.display()));
    let mut added = line.to_owned();
    if path.exists() {
        keys::read(path).map_err(|problem| Failure::No(problem.to_string()))?;
        let text = fs::read_to_string(path).map_err(failed)?;
        if !text.is_empty() && !text.ends_with('\n') {
            added.insert(0, '\n');
        }
        Keys::parse(&(text + &added)).map_err(|bad| Failure::No(format!("{}: {bad}", path.display())))?;
    }
    let mut file = File::options().create(true).append(true).mode(MODE).open(path).map_err(failed)?;
    file.write_all(added.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
