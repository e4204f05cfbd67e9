//! The operator's order to begin an empty cluster in the place of one whose data is lost (RULES S12).

use super::{come_in, draw_code};
use crate::arguments::StartAnew;
use crate::ending::Ending;
use ftq_storage::disk;

/// The former store is kept aside. Where there is none, one of the new cluster is made: with its code others come in.
pub(super) fn run(StartAnew { directory, code }: &StartAnew) -> Result<(), Ending> {
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
