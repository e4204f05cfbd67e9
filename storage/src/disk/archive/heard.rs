//! What was heard of the other stores' marks: one value, written when it suits (RULES S13).
//!
//! ```text
//! key 'h' ─▶ n · n times (store · boot · ordinal · promise · log view · end)
//! ```

use super::{Archive, Trouble};
use ftq_core::ids::{BootId, StoreId};
use ftq_core::store::{Heard, Mark};
use ftq_core::wire::{Malformed, Reader, Writer};

const KEY: [u8; 1] = [b'h'];

/// More stores than a cluster ever has at once.
const STORES_MAX: usize = 64;

impl Archive {
    /// Writes down what was heard. Durable with the next sync.
    pub(in crate::disk) fn hear(&mut self, marks: &[Heard]) -> Result<(), Trouble> {
        let mut w = Writer::new();
        w.u64(marks.len() as u64);
        for Heard { store, boot, mark } in marks {
            w.raw(&store.0).raw(&boot.0).u64(mark.ordinal).ballot(mark.promise).ballot(mark.view).slot(mark.end);
        }
        self.put(&KEY, w.as_slice())
    }

    /// What was heard.
    pub(in crate::disk) fn heard(&self) -> Result<Vec<Heard>, Trouble> {
        let Some(body) = self.values.read(&KEY)? else { return Ok(Vec::new()) };
        let mut r = Reader::new(body);
        let mut read = || {
            let n = r.count(STORES_MAX)?;
            let next = |_| {
                let (store, boot) = (StoreId(r.array()?), BootId(r.array()?));
                let mark = Mark { ordinal: r.u64()?, promise: r.ballot()?, view: r.ballot()?, end: r.slot()? };
                Ok(Heard { store, boot, mark })
            };
            (0..n).map(next).collect::<Result<Vec<Heard>, Malformed>>()
        };
        read().map_err(|Malformed| Trouble::Damaged("what was heard of other stores can't be read".to_owned()))
    }
}
