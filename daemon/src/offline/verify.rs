//! Says what is in a store and what is wrong with it, and changes nothing.

use crate::arguments::Verify;
use crate::ending::Ending;
use ftq_storage::disk::{self, Finding, Part};

pub(super) fn run(Verify { directory }: &Verify) -> Result<(), Ending> {
    super::seek(directory)?;
    let findings = disk::verify(directory).map_err(|error| super::refused(directory, error, Ending::Store))?;
    for finding in &findings {
        println!("{finding}");
    }
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.is_wrong).collect();
    match wrong.as_slice() {
        [] => {
            println!("nothing is wrong with the store in {}", directory.display());
            Ok(())
        }
        // Without that part nothing else is looked at.
        [Finding { part: Part::Identity, .. }] => Err(Ending::Unidentified(directory.clone())),
        wrong => Err(Ending::Wrong { directory: directory.clone(), wrong: wrong.len() }),
    }
}
