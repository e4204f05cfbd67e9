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
