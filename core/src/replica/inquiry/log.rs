//! What the delivered log holds, a page at a time.
//!
//! What is in memory is answered at once; for what is older the store reads, as for a member that is behind, and
//! whoever asked waits for it. Nothing else does.

mod page;

pub use page::{LogPage, LogRequest, LogSlot, RequestKind};

use super::{Asking, Replica};
use crate::ids::Slot;
use crate::machine::{Machine, Place};
use crate::replica::{FetchId, Output};
use crate::session::message::{Refusal, RequestName};
use crate::store::{Fetch, Fetched};
use alloc::vec::Vec;

/// How much the store reads for one page.
const READ_BYTES: usize = 256 << 10;

/// How many readers may wait for the store at once: if it hangs, no longer queue grows in front of it.
const READERS_MAX: usize = 16;

/// The ids of the group's reads end here, and those for clients begin.
const GROUPS_FETCHES: u64 = 1 << 63;

/// Too many wait for the store.
const BUSY: Refusal = Refusal::Busy { after_ms: 100 };

/// Clients that wait for what the store reads, however long: what was handed to it is in its way until it is done.
#[derive(Debug, Default)]
pub(in crate::replica) struct LogReads {
    last: u64,
    waiting: Vec<LogRead>,
}

#[derive(Clone, Copy, Debug)]
struct LogRead {
    id: FetchId,
    asking: Asking,
    from: Place,
    /// What was asked for is not kept: the oldest that is will do.
    is_oldest: bool,
}

impl<M: Machine> Replica<M> {
    /// A client wants to see what the log holds from this place on.
    pub(super) fn show_log(&mut self, asking: Asking, from: Place) {
        if !self.group.has_state() {
            return self.refuse_client(asking.client, RequestName::Read(asking.nonce), Refusal::NoQuorum);
        }
        let log = self.group.log();
        if from.slot > log.base().0 {
            let slots = log.from(Slot(from.slot)).take_while(|record| record.slot <= log.delivered());
            let page = LogPage::of(slots, from, log.delivered());
            return self.answer_inquiry(asking, page.encode());
        }
        let reads = &mut self.log_reads.waiting;
        if let Some(known) = reads.iter_mut().find(|known| known.asking.nonce == asking.nonce) {
            // It is being read already: only the address to answer may have changed.
            known.asking = asking;
        } else if reads.len() >= READERS_MAX {
            self.refuse_client(asking.client, RequestName::Read(asking.nonce), BUSY);
        } else {
            let from = from.max(Place { slot: 1, position: 0 });
            self.read_log(LogRead { id: FetchId(0), asking, from, is_oldest: false });
        }
    }

    /// The store has read something: whether that was for a client.
    pub(in crate::replica) fn log_read(&mut self, id: FetchId, fetched: &Fetched) -> bool {
        if id.0 <= GROUPS_FETCHES {
            return false;
        }
        let waiting = &mut self.log_reads.waiting;
        let Some(at) = waiting.iter().position(|read| read.id == id) else { return true };
        let read = waiting.swap_remove(at);
        let Fetched::Slots(slots) = fetched else { return true };
        if slots.is_empty() && !read.is_oldest {
            self.read_log(LogRead { is_oldest: true, ..read });
            return true;
        }
        let log = self.group.log();
        let slots = slots.iter().filter(|record| record.slot.0 >= read.from.slot && record.slot <= log.delivered());
        let mut page = LogPage::of(slots, read.from, log.delivered());
        if page.slots.is_empty() {
            // The store has nothing of it: what is in memory is all there is.
            page.next = Place { slot: log.base().0 + 1, position: 0 };
        }
        self.answer_inquiry(read.asking, page.encode());
        true
    }

    fn read_log(&mut self, read: LogRead) {
        let reads = &mut self.log_reads;
        reads.last += 1;
        let id = FetchId(GROUPS_FETCHES + reads.last);
        reads.waiting.push(LogRead { id, ..read });
        let fetch = if read.is_oldest {
            Fetch::Oldest { bytes_max: READ_BYTES }
        } else {
            Fetch::Slots { from: Slot(read.from.slot), bytes_max: READ_BYTES }
        };
        self.out.push_back(Output::Fetch { id, fetch });
    }
}
