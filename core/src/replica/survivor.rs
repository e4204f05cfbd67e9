//! What is left of a cluster whose quorum is lost for ever: one store. By the operator's order another cluster begins,
//! of that one member, with all that its store holds (RULES S7).
//!
//! ```text
//!  slots of the store:  1 ──── delivered ────┊──── accepted ────▶ end      all of them are applied
//!                                                                  │
//!  the other cluster:               a snapshot of that, {me}, ─────┴──▶ end + 1 …
//! ```
//!
//! Always: what comes out is a function of what the store holds; slots, ids, sessions and the clock go on where they
//! were. Whether an accepted slot was acknowledged nobody can say any more, so all of them count; what only the
//! others had is not here.

use crate::electorate::Electorate;
use crate::group;
use crate::ids::{Ballot, BootId, ClusterId, Configuration, MemberId, MemberSet, Seat, Slot, StoreId};
use crate::machine::Machine;
use crate::store::{Condition, Opened, Snapshot};
use crate::time::Time;

use super::{Event, Input, Options, Order, Output, Replica, Stop};
use alloc::vec;

/// It sends nothing, so any size will do.
const DATAGRAM_MAX: usize = 1_200;

/// All that a store holds, applied.
#[derive(Debug)]
pub struct Survivor<M> {
    replica: Replica<M>,
    me: MemberId,
    former: Electorate,
    view: Ballot,
    promise: Ballot,
    committed: Slot,
}

/// Why no other cluster can begin with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unable {
    /// It was never in a cluster, or no slot was ever ordered there.
    Blank,
    /// It has lost its archive: what was applied is not here.
    Hollow,
    /// None of these members has this store, and nobody has said which member it is to be.
    Seatless(MemberSet),
    /// It is the store of this member, and not of the one that was named.
    Seated(MemberId),
    /// It is a quorum of these members by itself, or all there is: it needs no others.
    Quorum {
        /// The member that it belongs to.
        me: MemberId,
        /// The cluster.
        members: MemberSet,
    },
    /// This build can't apply what it holds, for this reason.
    Unreadable(Stop),
}

impl<M: Machine> Survivor<M> {
    /// Applies all that a store of this cluster holds. `me` is needed if the cluster does not know the store. Whatever
    /// is applied is shown to `seen`.
    pub fn of(
        cluster: ClusterId,
        me: Option<MemberId>,
        mut opened: Opened,
        machine: M,
        mut seen: impl FnMut(&Event),
    ) -> Result<Survivor<M>, Unable> {
        if matches!(opened.condition, Condition::Hollow { .. }) {
            return Err(Unable::Hollow);
        }
        let former = group::electorate_of(cluster, &opened);
        let me = whose(&former, me, opened.store)?;
        let committed = opened.delivered.last().map(|record| record.slot);
        let committed = committed.or(opened.snapshot.as_ref().map(|snapshot| snapshot.slot)).unwrap_or_default();
        let (view, promise) = (opened.view.ballot, opened.promise.max(opened.view.ballot));
        opened.delivered.append(&mut opened.tail);
        let options = Options {
            me,
            cluster,
            founding: MemberSet::of(me),
            order: Order::Rotating,
            datagram_max: DATAGRAM_MAX,
            snapshot_every: u64::MAX,
            memory_bytes: None,
            log_keep: 0,
        };
        let mut replica = Replica::new(Time(0), options, BootId::default(), 0, opened, machine);
        while !replica.stopped && replica.replays_to().is_some() {
            replica.handle(Time(0), Input::Tick);
            // Time stands still: nobody is missed, and what it would like to do beyond applying is not done.
            while let Some(output) = replica.poll(Time(0)) {
                match output {
                    Output::Event(Event::Stopped { why }) => return Err(Unable::Unreadable(why)),
                    Output::Event(event) => seen(&event),
                    Output::Send { .. }
                    | Output::Reply { .. }
                    | Output::Persist { .. }
                    | Output::Fetch { .. }
                    | Output::Changed { .. } => {}
                }
            }
        }
        let log = replica.group.log();
        assert_eq!(log.delivered(), log.end(), "all that it holds is applied");
        if log.end() == Slot(0) {
            Err(Unable::Blank)
        } else {
            Ok(Survivor { replica, me, former, view, promise, committed })
        }
    }

    /// With what the other cluster begins in this store, which nobody has used: the promise that stands in it, and
    /// the snapshot that its log builds on.
    pub fn begin(mut self, store: StoreId) -> (Ballot, Snapshot) {
        let log = self.replica.group.log();
        let seats = vec![Seat { member: self.me, store: Some(store) }];
        let snapshot = Snapshot {
            slot: log.end(),
            digest: log.end_digest(),
            clock: log.end_clock(),
            configuration: Configuration { number: self.former.successor().number + 1, seats },
            positions: self.replica.group.positions().to_vec(),
            state: self.replica.machine.digest(),
            pieces: self.replica.machine.snapshot(),
        };
        (self.promise, snapshot)
    }

    /// Whose store it is.
    pub fn me(&self) -> MemberId {
        self.me
    }

    /// Who the cluster was, as far as this store knows.
    pub fn former(&self) -> &Electorate {
        &self.former
    }

    /// The last view that this store was in.
    pub fn view(&self) -> Ballot {
        self.view
    }

    /// Up to here it knows what it holds to have been committed.
    pub fn committed(&self) -> Slot {
        self.committed
    }

    /// The last slot that it holds.
    pub fn end(&self) -> Slot {
        self.replica.group.log().end()
    }

    /// What is in the queues after that.
    pub fn machine(&self) -> &M {
        self.replica.machine.machine()
    }
}

/// The member that a store belongs to, unless it needs no order to go on.
fn whose(former: &Electorate, named: Option<MemberId>, store: StoreId) -> Result<MemberId, Unable> {
    if former.is_founding() {
        return Err(Unable::Blank);
    }
    let members = former.set();
    let seats = former.sealed.seats.iter().chain(former.proposed.iter().flat_map(|next| &next.seats));
    let seat = seats.into_iter().find(|seat| seat.store == Some(store)).map(|seat| seat.member);
    let me = match (seat, named) {
        (Some(seat), Some(named)) if seat != named => return Err(Unable::Seated(seat)),
        (Some(me), _) | (None, Some(me)) => me,
        (None, None) => return Err(Unable::Seatless(members)),
    };
    let is_quorum = former.admits(me, store) && former.may_form_view(MemberSet::of(me));
    if is_quorum { Err(Unable::Quorum { me, members }) } else { Ok(me) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::machine::list::Lists;

    fn id(n: u8) -> MemberId {
        MemberId::new(n).expect("an id")
    }

    fn cluster(members: &[u8]) -> Configuration {
        let seat = |n: &u8| Seat { member: id(*n), store: Some(StoreId([*n; 16])) };
        Configuration { number: 3, seats: members.iter().map(seat).collect() }
    }

    /// What the store of number `n` holds, whose log has come to slot 7 in this cluster.
    fn opened(n: u8, configuration: Configuration) -> Opened {
        let mut machine = crate::session::table::Sessions::new(Lists::default());
        let (pieces, state) = (machine.snapshot(), machine.digest());
        let snapshot =
            Snapshot { slot: Slot(7), digest: Digest(9), configuration, state, pieces, ..Snapshot::default() };
        Opened { store: StoreId([n; 16]), snapshot: Some(snapshot), ..Opened::default() }
    }

    fn of(me: Option<u8>, opened: Opened) -> Result<Survivor<Lists>, Unable> {
        Survivor::of(ClusterId([7; 16]), me.map(id), opened, Lists::default(), |_| {})
    }

    #[test]
    fn another_cluster_begins_where_the_store_ends() {
        let survivor = of(None, opened(1, cluster(&[1, 2, 3]))).expect("a survivor");
        assert_eq!((survivor.me(), survivor.end(), survivor.committed()), (id(1), Slot(7), Slot(7)));
        let (_, snapshot) = survivor.begin(StoreId([9; 16]));
        assert_eq!((snapshot.slot, snapshot.digest), (Slot(7), Digest(9)));
        assert_eq!(snapshot.configuration.number, 4);
        assert_eq!(snapshot.configuration.seats, [Seat { member: id(1), store: Some(StoreId([9; 16])) }]);
    }

    #[test]
    fn a_store_that_has_nothing_or_needs_no_order_is_refused() {
        let three = cluster(&[1, 2, 3]);
        let members = three.set();
        let refused = |me, opened| of(me, opened).expect_err("refused");
        assert_eq!(refused(None, Opened::default()), Unable::Blank);
        let condition = Condition::Hollow { base: Slot(9), digest: Digest(1) };
        assert_eq!(refused(None, Opened { condition, ..opened(1, three.clone()) }), Unable::Hollow);
        assert_eq!(refused(None, opened(4, three.clone())), Unable::Seatless(members));
        assert_eq!(refused(Some(2), opened(1, three.clone())), Unable::Seated(id(1)));
        let two = cluster(&[1, 2]);
        assert_eq!(refused(None, opened(2, two.clone())), Unable::Quorum { me: id(2), members: two.set() });
        let broken = Snapshot { state: Digest(1), ..opened(1, three.clone()).snapshot.expect("a snapshot") };
        let broken = Opened { snapshot: Some(broken), ..opened(1, three.clone()) };
        assert!(matches!(refused(None, broken), Unable::Unreadable(_)));
        assert_eq!(of(Some(4), opened(4, three)).expect("a survivor").me(), id(4));
        assert_eq!(of(None, opened(1, two)).expect("the lower of two is no quorum").me(), id(1));
    }
}
