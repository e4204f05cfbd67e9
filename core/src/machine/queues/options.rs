//! What may be said beside an operation: how an item is pushed, and how a queue behaves.

use super::error::Error;
use super::label::{Label, QueueId};
use super::limits::{KEY_WINDOW_MS, NUMBER_MAX, PRIORITIES, PRIORITY_DEFAULT, SPAN_MS_MAX};
use crate::pack::{Packer, Unpacker};
use crate::wire::{Malformed, Reader, Writer};

/// How items are pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOptions {
    /// From 0, which goes first, to 7.
    pub priority: u8,
    /// For so long they are not ready.
    pub delay_ms: u64,
    /// After so long they are dropped, unless they are leased just then.
    pub ttl_ms: Option<u64>,
    /// Names this push: while the queue knows the key, a push with the same one pushes nothing and is
    /// answered like the first.
    pub key: Option<Label>,
}

impl Default for PushOptions {
    fn default() -> PushOptions {
        PushOptions { priority: PRIORITY_DEFAULT, delay_ms: 0, ttl_ms: None, key: None }
    }
}

impl PushOptions {
    /// Refuses what is outside of what is allowed.
    pub(super) fn check(&self) -> Result<(), Error> {
        let ttl = self.ttl_ms.is_none_or(|ttl| (1..=SPAN_MS_MAX).contains(&ttl));
        if self.priority < PRIORITIES && self.delay_ms <= SPAN_MS_MAX && ttl { Ok(()) } else { Err(Error::BadOption) }
    }

    /// Whether an item that is pushed so is kept as bytes in a row, and nothing more.
    pub(super) fn is_plain(&self) -> bool {
        self.delay_ms == 0 && self.ttl_ms.is_none()
    }

    pub(super) const FIELDS: usize = 4;

    pub(super) fn pack(&self, w: &mut Packer) {
        w.uint(u64::from(self.priority)).uint(self.delay_ms);
        w.option(self.ttl_ms, Packer::uint);
        w.option(self.key.as_ref(), |w, key| w.text(key.as_str()));
    }

    pub(super) fn unpack(r: &mut Unpacker) -> Result<PushOptions, Error> {
        Ok(PushOptions {
            priority: u8::try_from(r.uint()?).map_err(|_| Error::BadOption)?,
            delay_ms: r.uint()?,
            ttl_ms: r.option(|r| r.uint())?,
            key: r.option(Label::unpack)?,
        })
    }
}

/// How a queue behaves. They can be changed at any time; what is in the queue stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most items in it, ready or not; a push over it is refused whole.
    pub items_max: Option<u64>,
    /// The most bytes of items in it; a push over it is refused whole.
    pub bytes_max: Option<u64>,
    /// After so many deliveries an item that comes back goes to the queue of dead letters.
    pub deliveries_max: Option<u64>,
    /// Where it goes. While there is no such queue, items come back as if there were no limit.
    pub dead_letters: Option<QueueId>,
    /// For how long the key of a push is known.
    pub key_window_ms: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            items_max: None,
            bytes_max: None,
            deliveries_max: None,
            dead_letters: None,
            key_window_ms: KEY_WINDOW_MS,
        }
    }
}

impl Settings {
    /// Refuses what makes no sense for this queue.
    pub(super) fn check(&self, queue: QueueId) -> Result<(), Error> {
        let numbers = [self.items_max, self.bytes_max, self.deliveries_max];
        let bounded = numbers.into_iter().flatten().all(|number| number > 0 && number <= NUMBER_MAX);
        let elsewhere = self.dead_letters.is_none_or(|dead| dead != queue && dead.0 > 0);
        let window = (1..=SPAN_MS_MAX).contains(&self.key_window_ms);
        if bounded && elsewhere && window { Ok(()) } else { Err(Error::BadOption) }
    }

    pub(super) const FIELDS: usize = 5;

    pub(super) fn pack(&self, w: &mut Packer) {
        for number in self.numbers() {
            w.option(number, Packer::uint);
        }
        w.uint(self.key_window_ms);
    }

    pub(super) fn unpack(r: &mut Unpacker) -> Result<Settings, Malformed> {
        Ok(Settings {
            items_max: r.option(Unpacker::uint)?,
            bytes_max: r.option(Unpacker::uint)?,
            deliveries_max: r.option(Unpacker::uint)?,
            dead_letters: r.option(Unpacker::uint)?.map(QueueId),
            key_window_ms: r.uint()?,
        })
    }

    /// For a snapshot, where nothing stands as zero: no setting is.
    pub(super) fn write(&self, w: &mut Writer) {
        for number in self.numbers() {
            w.u64(number.unwrap_or(0));
        }
        w.u64(self.key_window_ms);
    }

    pub(super) fn read(r: &mut Reader) -> Result<Settings, Malformed> {
        let mut number = || r.u64().map(|number| (number > 0).then_some(number));
        let (items_max, bytes_max, deliveries_max) = (number()?, number()?, number()?);
        let dead_letters = number()?.map(QueueId);
        Ok(Settings { items_max, bytes_max, deliveries_max, dead_letters, key_window_ms: r.u64()? })
    }

    fn numbers(&self) -> [Option<u64>; 4] {
        [self.items_max, self.bytes_max, self.deliveries_max, self.dead_letters.map(|queue| queue.0)]
    }
}
