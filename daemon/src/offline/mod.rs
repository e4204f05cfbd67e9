//! The commands on a store that no replica has open, a file each.

mod alone;
mod anew;
mod verify;

use crate::arguments::Command;
use crate::ending::Ending;
use ftq_storage::disk::OpenError;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Does what was ordered.
pub(crate) fn run(command: &Command) -> Result<(), Ending> {
    match command {
        Command::Verify(order) => verify::run(order),
        Command::StartAnew(order) => anew::run(order),
        Command::GoOnAlone(order) => alone::run(order),
    }
}

/// Refuses a directory that holds nothing. Whoever looks for a store in it would leave a lock there, and take it for one
/// that has lost everything.
fn seek(directory: &Path) -> Result<(), Ending> {
    let instead = match fs::read_dir(directory).map(|mut names| names.next().is_none()) {
        Ok(false) => return Ok(()),
        Ok(true) => "is empty",
        Err(error) if error.kind() == ErrorKind::NotFound => "does not exist",
        Err(error) if error.kind() == ErrorKind::NotADirectory => "is no directory",
        Err(error) => return Err(OpenError::Io { doing: "look into", path: directory.to_owned(), error }.into()),
    };
    Err(Ending::NoStore(directory.to_owned(), instead.to_owned()))
}

/// How an order ends for which a store could not be opened. What would be said of that is of none where there is none.
fn refused(directory: &Path, error: OpenError, otherwise: impl FnOnce(OpenError) -> Ending) -> Ending {
    let instead = match error {
        OpenError::NoStore { foreign, .. } => format!("holds no store, but {foreign}"),
        OpenError::Empty { .. } => "holds no store".to_owned(),
        error @ (OpenError::InUse { .. }
        | OpenError::Newer { .. }
        | OpenError::OtherCluster { .. }
        | OpenError::Damaged { .. }
        | OpenError::Full { .. }
        | OpenError::Options(_)
        | OpenError::Io { .. }) => return otherwise(error),
    };
    Ending::NoStore(directory.to_owned(), instead)
}

/// A code for a cluster that begins in the place of another one.
fn draw_code() -> Result<[u8; 16], Ending> {
    let mut code = [0; 16];
    getrandom::fill(&mut code).map_err(|error| Ending::System { doing: "draw random bytes", error: error.into() })?;
    Ok(code)
}

/// The command by which others come into it.
fn come_in(code: &[u8; 16]) -> String {
    format!("ftqd start-anew DIR --code {:032x}", u128::from_be_bytes(*code))
}
