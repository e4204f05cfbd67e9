//! What is done to a store that no replica has open.

use crate::ending::Ending;
use ftq_storage::disk;
use std::path::Path;

/// Says what is in a store and what is wrong with it.
pub(crate) fn verify(directory: &Path) -> Result<(), Ending> {
    let findings = disk::verify(directory)?;
    for finding in &findings {
        println!("{finding}");
    }
    let wrong = findings.iter().filter(|finding| finding.is_wrong).count();
    if wrong > 0 {
        return Err(Ending::Wrong { directory: directory.to_owned(), wrong });
    }
    println!("nothing is wrong with the store in {}", directory.display());
    Ok(())
}

/// Begins an empty cluster in the place of the store, which is kept aside. Without a code one is drawn.
pub(crate) fn start_anew(directory: &Path, code: Option<[u8; 16]>) -> Result<(), Ending> {
    let code = code.map_or_else(draw_code, Ok)?;
    let aside = disk::start_anew(directory, code)?;
    let place = directory.display();
    match aside {
        Some(aside) => println!("{place} holds an empty store now; the former one is kept as {place}/{aside}"),
        None => println!("{place} held no store, and has an empty one now"),
    }
    println!("the other members of this cluster, if any, need: {}", come_in(&code));
    Ok(())
}

/// A code for a cluster that begins in the place of another one.
pub(crate) fn draw_code() -> Result<[u8; 16], Ending> {
    let mut code = [0; 16];
    getrandom::fill(&mut code).map_err(|error| Ending::System { doing: "draw random bytes", error: error.into() })?;
    Ok(code)
}

/// The command by which others come into it.
pub(crate) fn come_in(code: &[u8; 16]) -> String {
    format!("ftqd start-anew DIR --code {:032x}", u128::from_be_bytes(*code))
}
