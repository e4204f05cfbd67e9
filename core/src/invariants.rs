//! What always holds inside one replica, said in one place and asserted after every step.
//!
//! Only own state is asserted here, never what a peer, a client or the disk says. What must hold between
//! replicas (no two contents in a slot, nothing committed without a quorum of disks) nobody inside can
//! see: the simulator checks it.

use crate::group::Group;

/// Asserts what holds between two steps of a group.
pub(crate) fn group(group: &Group) {
    let (log, view) = (group.log(), group.view());
    assert!(log.base() <= log.delivered(), "what is not delivered is in memory");
    assert!(log.delivered() <= log.committed(), "only committed slots are delivered");
    assert!(log.committed() <= log.end(), "only slots that are held are committed");
    if group.is_active() {
        let (member, store, boot) = group.identity();
        let named = view.participant(member).is_some_and(|p| p.store == store && p.boot == boot);
        assert!(named, "only the boot that a view names takes part in it (RULES S1)");
        assert!(group.promised() == view.ballot, "who has promised more has left the view (RULES S3)");
        assert!(group.electorate().admits(member, store), "a learner takes part in no view");
        assert!(group.is_whole(), "who has lost what it applied takes part in no view");
        assert!(group.durable() <= log.end(), "no mark is above the log (RULES S8)");
        assert!(group.ordering().mark_of(member) == group.durable(), "the own mark is what the disk has");
    }
}
