//! What the questions to a replica itself, and their answers, have in common.

use crate::ids::{MemberId, MemberSet};
use crate::pack::{Packer, Unpacker};
use crate::wire::Malformed;

/// The most fields of a question, of a status, and of what it says of a peer.
pub(super) const FIELDS_MAX: usize = 64;

pub(super) fn id(member: MemberId) -> u64 {
    u64::from(member.number())
}

pub(super) fn member(r: &mut Unpacker) -> Result<MemberId, Malformed> {
    u8::try_from(r.uint()?).ok().and_then(MemberId::new).ok_or(Malformed)
}

pub(super) fn put_set(w: &mut Packer, set: MemberSet) {
    w.array(set.len());
    set.iter().for_each(|member| {
        w.uint(id(member));
    });
}

pub(super) fn set(r: &mut Unpacker) -> Result<MemberSet, Malformed> {
    (0..r.array(FIELDS_MAX)?).map(|_| member(r)).collect()
}
