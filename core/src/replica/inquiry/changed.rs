//! How changes of the cluster that clients have ordered ended: `[65, …]`.

use super::fields::FIELDS_MAX;
use super::{CHANGE, ChangeOutcome};
use crate::group::admission::Unfit;
use crate::pack::{Packer, Unpacker};
use crate::wire::Malformed;
use alloc::collections::VecDeque;
use bytes::Bytes;

/// Changes whose ends are known, kept for who asks again.
const ENDED_KEPT: usize = 16;

/// How a change of the cluster ended, as a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed(pub ChangeOutcome);

/// The ends of changes that clients have ordered.
#[derive(Debug, Default)]
pub(in crate::replica) struct EndedChanges(VecDeque<(u64, ChangeOutcome)>);

impl Changed {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut w = Packer::new();
        match self.0 {
            ChangeOutcome::Done { configuration } => w.array(3).uint(CHANGE).uint(0).uint(configuration),
            ChangeOutcome::Unfit(why) => w.array(2).uint(CHANGE).uint(number(why)),
            ChangeOutcome::Overtaken => w.array(2).uint(CHANGE).uint(OVERTAKEN),
            ChangeOutcome::Unknown => w.array(2).uint(CHANGE).uint(UNKNOWN),
        };
        w.into_bytes()
    }

    /// Reads what [`Changed::encode`] wrote.
    pub fn decode(bytes: Bytes) -> Result<Changed, Malformed> {
        let mut r = Unpacker::new(bytes);
        if r.array(FIELDS_MAX)? < 2 || r.uint()? != CHANGE {
            return Err(Malformed);
        }
        Ok(Changed(match r.uint()? {
            0 => ChangeOutcome::Done { configuration: r.uint()? },
            OVERTAKEN => ChangeOutcome::Overtaken,
            UNKNOWN => ChangeOutcome::Unknown,
            n => ChangeOutcome::Unfit(UNFIT.into_iter().find(|why| number(*why) == n).ok_or(Malformed)?),
        }))
    }
}

const OVERTAKEN: u64 = 8;
const UNKNOWN: u64 = 9;

/// Why a change can't be made.
const UNFIT: [Unfit; 8] = [
    Unfit::AlreadyMember,
    Unfit::NotAMember,
    Unfit::LastMember,
    Unfit::TooMany,
    Unfit::NotHeard,
    Unfit::NotServing,
    Unfit::Busy,
    Unfit::HadASeat,
];

/// What it is called on the wire, for ever.
fn number(why: Unfit) -> u64 {
    match why {
        Unfit::AlreadyMember => 1,
        Unfit::NotAMember => 2,
        Unfit::LastMember => 3,
        Unfit::TooMany => 4,
        Unfit::NotHeard => 5,
        Unfit::NotServing => 6,
        Unfit::Busy => 7,
        Unfit::HadASeat => 10,
    }
}

impl EndedChanges {
    pub(super) fn find(&self, nonce: u64) -> Option<ChangeOutcome> {
        self.0.iter().find(|(known, _)| *known == nonce).map(|(_, outcome)| *outcome)
    }

    pub(super) fn keep(&mut self, nonce: u64, outcome: ChangeOutcome) {
        self.0.push_back((nonce, outcome));
        if self.0.len() > ENDED_KEPT {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    #[test]
    fn how_a_change_ended_comes_back_as_it_went() {
        let unfit = UNFIT.map(ChangeOutcome::Unfit);
        let others = [ChangeOutcome::Done { configuration: 7 }, ChangeOutcome::Overtaken, ChangeOutcome::Unknown];
        for outcome in unfit.into_iter().chain(others) {
            assert_eq!(Changed::decode(Changed(outcome).encode()), Ok(Changed(outcome)));
        }
        assert_eq!(hex(&Changed(ChangeOutcome::Unfit(Unfit::AlreadyMember)).encode()), "924101");
        assert_eq!(hex(&Changed(ChangeOutcome::Unfit(Unfit::Busy)).encode()), "924107");
        assert_eq!(Changed::decode(Bytes::from_static(&[0x92, 0x41, 11])), Err(Malformed));
    }
}
