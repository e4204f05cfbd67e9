//! The bytes of a page of the log: `[67, …]`.

use crate::group::content;
use crate::group::notice::Notice;
use crate::ids::{Configuration, Digest, MemberId, MemberSet, Slot};
use crate::machine::Place;
use crate::pack::{Packer, Unpacker};
use crate::replica::inquiry::LOG;
use crate::replica::inquiry::fields::{FIELDS_MAX, id, member, put_set, set};
use crate::session::message::{Request, SessionId};
use crate::store::SlotRecord;
use crate::wire::Malformed;
use alloc::vec::Vec;
use bytes::Bytes;

/// How much of one command is shown: all of it, if it is not about large items.
const SHOWN_BYTES: usize = 2_048;

/// When a page holds so many bytes of commands and slots it ends.
const PAGE_BYTES: usize = 48 << 10;

/// What a slot and a request take in a page besides its command, about.
const ENTRY_BYTES: usize = 64;

/// The most slots and requests that a page may have.
const ENTRIES_MAX: usize = PAGE_BYTES / ENTRY_BYTES + 1;

/// A part of the delivered log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The last slot that is applied at the replica that answers.
    pub applied: Slot,
    /// Where the next page begins; behind `applied` when there is no more so far.
    pub next: Place,
    /// The slots, in their order. The first one is later than what was asked for if that is not kept any more.
    pub slots: Vec<LogSlot>,
}

/// A slot of the log, or some of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSlot {
    /// Which.
    pub slot: Slot,
    /// The number of the view in which it was sequenced, and who had formed that.
    pub view: (u64, Option<MemberId>),
    /// The log's clock there.
    pub clock_ms: u64,
    /// The chained digest.
    pub digest: Digest,
    /// How many requests it has.
    pub requests_total: u64,
    /// What it says about the cluster: the number of a configuration, its members, and whether it is proven by this.
    pub configuration: Option<(u64, MemberSet, bool)>,
    /// Its requests, or those of them that are in this page.
    pub requests: Vec<LogRequest>,
}

/// A request of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Its index in its slot.
    pub position: u32,
    /// The replica that took it from a client.
    pub origin: MemberId,
    /// What it is.
    pub kind: RequestKind,
    /// The session that it belongs to, or opens, if that is not open already.
    pub session: Option<SessionId>,
    /// The number of a command in its session, the version of rules, or a limit of memory.
    pub number: Option<u64>,
    /// How long a command is.
    pub bytes: u64,
    /// A command, or its first bytes.
    pub command: Bytes,
}

/// What a request of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// It can't be read, and nothing was done for it.
    Malformed = 0,
    /// It opens a session.
    Open = 1,
    /// It is a command of a session.
    Command = 2,
    /// It closes a session.
    Close = 3,
    /// It puts other rules of the machine in force.
    Rules = 4,
    /// It limits the machine's memory.
    Memory = 5,
}

impl LogPage {
    /// As much as a page has room for of these slots, the first of which may be looked at from within.
    pub(super) fn of<'a>(slots: impl Iterator<Item = &'a SlotRecord>, from: Place, applied: Slot) -> LogPage {
        let mut page = LogPage { applied, next: from, slots: Vec::new() };
        let mut bytes = 0;
        for record in slots {
            if bytes >= PAGE_BYTES {
                break;
            }
            let first = if record.slot.0 == from.slot { from.position } else { 0 };
            let mut slot = LogSlot::without_requests(record);
            bytes += ENTRY_BYTES;
            page.next = Place { slot: record.slot.0 + 1, position: 0 };
            let requests = content::requests(&record.content).into_iter().flatten();
            for (position, (origin, _, body)) in (0u32..).zip(requests) {
                if position < first {
                    continue;
                }
                if bytes >= PAGE_BYTES {
                    page.next = Place { slot: record.slot.0, position };
                    break;
                }
                let request = LogRequest::of(Place { slot: record.slot.0, position }, origin, body);
                bytes += ENTRY_BYTES + request.command.len();
                slot.requests.push(request);
            }
            page.slots.push(slot);
        }
        page
    }

    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        w.array(5).uint(LOG).uint(self.applied.0).uint(self.next.slot).uint(u64::from(self.next.position));
        w.array(self.slots.len());
        self.slots.iter().for_each(|slot| slot.pack(&mut w));
        w.into_bytes()
    }

    /// Reads what [`LogPage::encode`] wrote. A newer replica may say more behind that.
    pub fn decode(bytes: Bytes) -> Result<LogPage, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 5 || r.uint()? != LOG {
            return Err(Malformed);
        }
        let applied = Slot(r.uint()?);
        let next = Place { slot: r.uint()?, position: position(&mut r)? };
        let slots = (0..r.array(ENTRIES_MAX)?).map(|_| LogSlot::unpack(&mut r)).collect::<Result<_, _>>()?;
        Ok(LogPage { applied, next, slots })
    }
}

const SLOT_FIELDS: usize = 8;
const REQUEST_FIELDS: usize = 7;

impl LogSlot {
    fn without_requests(record: &SlotRecord) -> LogSlot {
        let said = |configuration: &Configuration| (configuration.number, configuration.set());
        LogSlot {
            slot: record.slot,
            view: (record.view.number, record.view.proposer),
            clock_ms: record.clock.0 / 1_000,
            digest: record.digest,
            requests_total: content::requests(&record.content).map_or(0, |requests| requests.total()),
            configuration: Notice::of(&record.content).map(|notice| match notice {
                Notice::Change(next) => (said(&next).0, said(&next).1, false),
                Notice::Seal(sealed) => (said(&sealed).0, said(&sealed).1, true),
            }),
            requests: Vec::new(),
        }
    }

    fn pack(&self, w: &mut Packer) {
        w.array(SLOT_FIELDS).uint(self.slot.0).uint(self.view.0).option(self.view.1, |w, m| w.uint(id(m)));
        w.uint(self.clock_ms).digest(self.digest).uint(self.requests_total);
        w.option(self.configuration, |w, (number, members, is_proven)| {
            w.array(3).uint(number);
            put_set(w, members);
            w.boolean(is_proven)
        });
        w.array(self.requests.len());
        self.requests.iter().for_each(|request| request.pack(w));
    }

    fn unpack(r: &mut Unpacker) -> Result<LogSlot, Malformed> {
        if r.array(FIELDS_MAX)? != SLOT_FIELDS {
            return Err(Malformed);
        }
        let configuration = |r: &mut Unpacker| {
            if r.array(FIELDS_MAX)? == 3 { Ok((r.uint()?, set(r)?, r.boolean()?)) } else { Err(Malformed) }
        };
        Ok(LogSlot {
            slot: Slot(r.uint()?),
            view: (r.uint()?, r.option(member)?),
            clock_ms: r.uint()?,
            digest: r.digest()?,
            requests_total: r.uint()?,
            configuration: r.option(configuration)?,
            requests: (0..r.array(ENTRIES_MAX)?).map(|_| LogRequest::unpack(r)).collect::<Result<_, _>>()?,
        })
    }
}

impl LogRequest {
    fn of(place: Place, origin: MemberId, body: Bytes) -> LogRequest {
        let (kind, session, number, command) = match Request::decode(body) {
            Ok(Request::Open { nonce: _ }) => {
                (RequestKind::Open, Some(SessionId::opened_at(place)), None, Bytes::new())
            }
            Ok(Request::Call { session, number, floor: _, command }) => {
                (RequestKind::Command, Some(session), Some(number), command)
            }
            Ok(Request::Close { session }) => (RequestKind::Close, Some(session), None, Bytes::new()),
            Ok(Request::Rules { version }) => (RequestKind::Rules, None, Some(version), Bytes::new()),
            Ok(Request::Memory { bytes }) => (RequestKind::Memory, None, Some(bytes), Bytes::new()),
            Err(Malformed) => (RequestKind::Malformed, None, None, Bytes::new()),
        };
        let shown = command.slice(..command.len().min(SHOWN_BYTES));
        let Place { position, .. } = place;
        LogRequest { position, origin, kind, session, number, bytes: command.len() as u64, command: shown }
    }

    fn pack(&self, w: &mut Packer) {
        w.array(REQUEST_FIELDS).uint(u64::from(self.position)).uint(id(self.origin)).uint(self.kind as u64);
        w.option(self.session, |w, session| w.uint(session.0)).option(self.number, Packer::uint);
        w.uint(self.bytes).bin(&self.command);
    }

    fn unpack(r: &mut Unpacker) -> Result<LogRequest, Malformed> {
        if r.array(FIELDS_MAX)? != REQUEST_FIELDS {
            return Err(Malformed);
        }
        let (position, origin) = (position(r)?, member(r)?);
        let kind = usize::try_from(r.uint()?).ok().and_then(|at| RequestKind::ALL.get(at).copied()).ok_or(Malformed)?;
        Ok(LogRequest {
            position,
            origin,
            kind,
            session: r.option(Unpacker::uint)?.map(SessionId),
            number: r.option(Unpacker::uint)?,
            bytes: r.uint()?,
            command: r.bin()?,
        })
    }
}

impl RequestKind {
    const ALL: [RequestKind; 6] = [
        RequestKind::Malformed,
        RequestKind::Open,
        RequestKind::Command,
        RequestKind::Close,
        RequestKind::Rules,
        RequestKind::Memory,
    ];
}

fn position(r: &mut Unpacker) -> Result<u32, Malformed> {
    u32::try_from(r.uint()?).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ballot;
    use crate::time::SlotClock;

    fn m(n: u8) -> MemberId {
        MemberId::new(n).unwrap()
    }

    fn record(slot: u64, requests: &[Request]) -> SlotRecord {
        let count = requests.len() as u64;
        let mut w = content::begin(
            [content::Range { origin: m(2), from: 1, count }].into_iter().take(count.min(1) as usize),
            0,
        );
        for request in requests {
            let mut body = Vec::new();
            request.encode(&mut body);
            w.bytes(&body);
        }
        let view = Ballot { number: 7, proposer: Some(m(1)), ..Ballot::default() };
        let digest = Digest(u128::from(slot));
        SlotRecord { slot: Slot(slot), view, clock: SlotClock(slot * 1_000), digest, content: w.into_bytes() }
    }

    fn call(number: u64, bytes: usize) -> Request {
        let command = Bytes::from(alloc::vec![b'x'; bytes]);
        Request::Call { session: SessionId(65_536), number, floor: 0, command }
    }

    /// All pages of these slots from here on.
    fn pages(records: &[SlotRecord], mut from: Place) -> Vec<LogPage> {
        let applied = records.last().unwrap().slot;
        let mut pages = Vec::new();
        while from.slot <= applied.0 {
            let page = LogPage::of(records.iter().filter(|record| record.slot.0 >= from.slot), from, applied);
            assert!(page.next > from, "it goes on");
            assert!(page.encode().len() < PAGE_BYTES + SHOWN_BYTES + 4 * ENTRY_BYTES, "it ends");
            assert_eq!(LogPage::decode(page.encode()), Ok(page.clone()));
            from = page.next;
            pages.push(page);
        }
        pages
    }

    #[test]
    fn pages_show_every_request_once_and_end() {
        let many: Vec<Request> = (1..=3_000).map(|number| call(number, 10)).collect();
        let large: Vec<Request> = (3_001..=3_040).map(|number| call(number, 1 << 20)).collect();
        let records =
            [record(1, &[Request::Open { nonce: [1; 16] }]), record(2, &many), record(3, &[]), record(4, &large)];
        let pages = pages(&records, Place { slot: 1, position: 0 });
        assert!(pages.len() > 4);
        let requests: Vec<&LogRequest> =
            pages.iter().flat_map(|page| &page.slots).flat_map(|slot| &slot.requests).collect();
        assert_eq!(requests[0].session, Some(SessionId(65_536)), "a session is named by the place where it opens");
        let numbers: Vec<u64> = requests.iter().filter_map(|request| request.number).collect();
        assert_eq!(numbers, (1..=3_040).collect::<Vec<u64>>());
        let last = requests.last().unwrap();
        assert_eq!((last.bytes, last.command.len(), last.position), (1 << 20, SHOWN_BYTES, 39));
        assert!(pages.iter().flat_map(|page| &page.slots).any(|slot| slot.slot == Slot(3) && slot.requests.is_empty()));
    }

    #[test]
    fn what_a_slot_says_of_the_cluster_is_shown() {
        let members: MemberSet = [m(1), m(3)].into_iter().collect();
        let mut configuration = Configuration::founding(members);
        configuration.number = 4;
        for (notice, is_proven) in [(Notice::Change(configuration.clone()), false), (Notice::Seal(configuration), true)]
        {
            let slot = SlotRecord { content: notice.content(), ..record(9, &[]) };
            let page = &pages(&[slot], Place { slot: 9, position: 0 })[0];
            assert_eq!(page.slots[0].configuration, Some((4, members, is_proven)));
        }
    }

    #[test]
    fn no_other_bytes_are_taken_for_a_page() {
        let records =
            [record(1, &[Request::Open { nonce: [1; 16] }, call(1, 3), Request::Close { session: SessionId(9) }])];
        let bytes = pages(&records, Place { slot: 1, position: 0 })[0].encode();
        for end in 0..bytes.len() {
            assert_eq!(LogPage::decode(bytes.slice(..end)), Err(Malformed));
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bent = bytes.to_vec();
                bent[at] ^= 1 << bit;
                let _ = LogPage::decode(bent.into());
            }
        }
    }
}
