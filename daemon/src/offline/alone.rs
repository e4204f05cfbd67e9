//! The operator's order to go on with what one store holds, where the quorum of its cluster is lost for ever (RULES S7):
//! another cluster begins, of that one member, and the others join it with empty stores.

use super::{come_in, draw_code, refused};
use crate::arguments::GoOnAlone;
use crate::ending::Ending;
use crate::orders;
use ftq_core::ids::MemberSet;
use ftq_core::machine::queues::{Limits, Queues, Rules};
use ftq_core::replica::{Survivor, Unable};
use ftq_storage::disk::Predecessor;
use std::path::Path;

/// Says what is there and what would become of it, and does it if whoever orders it is sure.
pub(super) fn run(order: &GoOnAlone) -> Result<(), Ending> {
    let GoOnAlone { directory, me: named, yes: is_sure } = order;
    let refused = |error| refused(directory, error, |error| Ending::NotGoneOn(directory.clone(), error));
    let unable = |why: Unable| Ending::Unable(directory.clone(), why);
    super::seek(directory)?;
    let _signals = orders::outlive_file_limits()?;
    let predecessor = Predecessor::look(directory).map_err(refused)?;
    let identity = predecessor.identity();
    let cluster = identity.cluster().ok_or_else(|| unable(Unable::Blank))?;
    let machine = Queues::of_build(Rules::NEWEST, Limits::default());
    let survivor = match Survivor::of(cluster, *named, predecessor.opened().clone(), machine, |_| {}) {
        Err(Unable::Quorum { me, members }) if members == MemberSet::of(me) => {
            println!(
                "{} is the cluster of member {me} alone already: nothing was changed, start ftqd",
                directory.display()
            );
            if let Some(code) = &identity.anew {
                invite(code);
            }
            return Ok(());
        }
        survivor => survivor.map_err(unable)?,
    };
    let me = survivor.me();
    println!("{}", plan(directory, &survivor));
    if !is_sure {
        let others = survivor.former().set().without(me);
        return Err(Ending::Unsure { directory: directory.clone(), others, named: *named });
    }
    let code = draw_code()?;
    let aside = predecessor.succeed(code, |store| survivor.begin(store)).map_err(refused)?;
    let place = directory.display();
    println!("done: the store in {place} is of another cluster now; the former one is kept as {place}/{aside}");
    println!("start ftqd here as before: its configuration stays as it is");
    invite(&code);
    Ok(())
}

/// How others come in.
fn invite(code: &[u8; 16]) {
    let command = come_in(code);
    println!("each other member comes in with an empty store: {command} there, start ftqd, then: ftqctl member add ID");
}

/// What is there, and what the order makes of it.
fn plan(directory: &Path, survivor: &Survivor<Queues>) -> String {
    let (place, me, former) = (directory.display(), survivor.me(), survivor.former());
    let summary = survivor.machine().summary();
    let (committed, end) = (survivor.committed(), survivor.end());
    let accepted = match end.0 - committed.0 {
        0 => String::new(),
        n => {
            format!("\n  accepted   {n} of these slots, and perhaps never acknowledged: all of them count from now on")
        }
    };
    format!(
        "the store of member {me} in {place}\n  \
         cluster    members {}, by configuration {}\n  \
         last view  {:?}\n  \
         log        up to slot {end}{accepted}\n  \
         holds      queues: {}, items: {}, sequences of ids: {}\n\
         go on alone: another cluster begins with that, of member {me} alone. What the others have acknowledged without \
         this store is not in it, and is lost",
        former.set(),
        former.successor().number,
        survivor.view(),
        summary.queues,
        summary.items,
        summary.sequences
    )
}
