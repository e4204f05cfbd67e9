//! A group over a store that has seen something: what it goes by, and what it gives up.

use super::*;
use crate::ids::Seat;
use notice::Notice;

pub(super) fn first_of_three() -> Options {
    Options {
        me: m(1),
        cluster: ClusterId([7; 16]),
        founding: set(&[1, 2, 3]),
        order: Order::Rotating,
        log_keep: 100,
        rules: 1,
        timing: Timing::default(),
    }
}

/// It had got a snapshot and a slot behind it when it was restarted: it asks for the next one, and applies each
/// once.
#[test]
fn a_hollow_store_goes_on_where_its_rebuilding_was() {
    let (view, log) = content::empty_slots(ClusterId([7; 16]), 9);
    let snapshot = Snapshot { slot: Slot(3), digest: log[2].digest, ..Snapshot::default() };
    let opened = Opened {
        store: StoreId([1; 16]),
        promise: view,
        snapshot: Some(snapshot.clone()),
        delivered: log[3..5].to_vec(),
        tail: log[7..].to_vec(),
        condition: Condition::Hollow { base: Slot(7), digest: log[6].digest },
        ..Opened::default()
    };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    assert_eq!(group.complete_to(), Slot(5));
    assert!(!group.may_adopt(&snapshot), "it is here");
    let applied: Vec<Slot> = core::iter::from_fn(|| group.deliver()).map(|delivery| delivery.record.slot).collect();
    assert_eq!(applied, [Slot(4), Slot(5)], "the machine was restored at 3");
    assert!(!group.is_whole());
}

/// Members 1, 2 and 3 have sealed themselves, and changed to 1 and 2, which is sealed too: the log of it, and its store
/// that has lost all but the last slot.
fn changed_and_lost() -> ([Configuration; 2], Vec<SlotRecord>, Opened) {
    let seats =
        |members: &[u8]| members.iter().map(|n| Seat { member: m(*n), store: Some(StoreId([*n; 16])) }).collect();
    let (first, second) =
        (Configuration { number: 1, seats: seats(&[1, 2, 3]) }, Configuration { number: 2, seats: seats(&[1, 2]) });
    let notices = [Notice::Seal(first.clone()), Notice::Change(second.clone()), Notice::Seal(second.clone())];
    let (view, mut log) = content::empty_slots(ClusterId([7; 16]), 4);
    let mut digest = content::genesis(ClusterId([7; 16]));
    for (at, record) in log.iter_mut().enumerate() {
        record.content = notices.get(at).map_or_else(|| record.content.clone(), Notice::content);
        digest = content::chain(digest, record.slot, record.view, record.clock, &record.content);
        record.digest = digest;
    }
    let opened = Opened {
        store: StoreId([1; 16]),
        promise: view,
        configuration: Some(first.clone()),
        tail: log[3..].to_vec(),
        condition: Condition::Hollow { base: Slot(3), digest: log[2].digest },
        ..Opened::default()
    };
    ([first, second], log, opened)
}

/// What the group has given its store since this was asked last.
fn persisted(group: &mut Group) -> Vec<Job> {
    let outputs = core::iter::from_fn(|| group.poll());
    outputs.filter_map(|output| if let Output::Persist { job, .. } = output { Some(job) } else { None }).collect()
}

/// The cluster was changed in what a replica has lost: once that is here again it goes by what it says, and not by the
/// configuration of its last install (RULES S6).
#[test]
fn s6_what_is_rebuilt_says_what_the_configuration_is() {
    let ([_, second], log, opened) = changed_and_lost();
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    group.message(Time(1), m(2), Message::Slots(log[..3].to_vec()));
    while group.deliver().is_some() {
        group.settle(Time(1));
    }
    group.settle(Time(1));
    assert!(group.is_whole());
    assert_eq!(group.log().electorate().sealed, second);
}

/// Before anything of it is here again, it goes by what its journal says: also where a change was under way.
#[test]
fn s6_what_is_lost_was_written_down_before() {
    let ([first, second], log, opened) = changed_and_lost();
    let sealed = Opened { electorate: Some(Electorate::of(second.clone())), ..opened.clone() };
    let group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, sealed);
    assert_eq!(*group.log().electorate(), Electorate::of(second.clone()));

    let joint = Electorate { sealed: first, proposed: Some(second) };
    let under_way = Opened {
        electorate: Some(joint.clone()),
        tail: Vec::new(),
        condition: Condition::Hollow { base: Slot(2), digest: log[1].digest },
        ..opened
    };
    let group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, under_way);
    assert_eq!(*group.log().electorate(), joint);
}

/// What slots say of the cluster goes to the store before it is told that they are committed, and what lies below does
/// not wait for it.
#[test]
fn s6_the_electorate_is_written_before_what_says_it_is_delivered() {
    let ([first, second], log, opened) = changed_and_lost();
    let opened = Opened { condition: Condition::Whole, tail: Vec::new(), ..opened };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    let mut jobs = |slots: &[SlotRecord]| {
        group.message(Time(1), m(2), Message::Slots(slots.to_vec()));
        group.settle(Time(1));
        persisted(&mut group)
    };
    let caught_up = jobs(&log[..1]);
    assert_eq!(caught_up[0], Job::Electorate { electorate: Electorate::of(first.clone()) });
    assert!(matches!(caught_up[1], Job::CatchUp { .. }));
    let caught_up = jobs(&log[1..2]);
    assert_eq!(caught_up[0], Job::Electorate { electorate: Electorate { sealed: first, proposed: Some(second) } });

    let ([_, second], log, opened) = changed_and_lost();
    let opened = Opened { condition: Condition::Whole, tail: log.clone(), ..opened };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    group.log.commit(Slot(4));
    group.deliver_to_store(Time(1));
    let electorate = Electorate::of(second);
    assert_eq!(persisted(&mut group), [Job::Electorate { electorate }, Job::Deliver { upto: Slot(4) }]);
}

/// The first configuration is known already: what lies below the change goes to the archive at once, since what comes
/// before the electorate in the journal may wait for the room.
#[test]
fn s6_what_lies_below_a_change_does_not_wait_for_it() {
    let ([first, second], log, opened) = changed_and_lost();
    let electorate = Some(Electorate::of(first.clone()));
    let opened = Opened { electorate, condition: Condition::Whole, tail: log, ..opened };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    group.log.commit(Slot(2));
    group.deliver_to_store(Time(1));
    let electorate = Electorate { sealed: first, proposed: Some(second) };
    let below = Job::Deliver { upto: Slot(1) };
    assert_eq!(persisted(&mut group), [below, Job::Electorate { electorate }, Job::Deliver { upto: Slot(2) }]);
}

/// Its journal did not know yet that the electorate is another one, and it is whole again.
#[test]
fn s6_who_is_rebuilt_writes_down_what_it_has_learnt() {
    let ([_, second], log, opened) = changed_and_lost();
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    group.message(Time(1), m(2), Message::Slots(log[..3].to_vec()));
    assert!(matches!(persisted(&mut group)[..], [Job::CatchUp { .. }]));
    while group.deliver().is_some() {
        group.settle(Time(1));
    }
    group.settle(Time(1));
    assert_eq!(persisted(&mut group), [Job::Electorate { electorate: Electorate::of(second) }]);
}

/// Slots are known to be committed by a snapshot of another replica: the electorate comes before all of them.
#[test]
fn s6_what_a_snapshot_confirms_is_written_before_it_is_delivered() {
    let ([first, second], log, opened) = changed_and_lost();
    let electorate = Some(Electorate::of(first));
    let opened = Opened { electorate, condition: Condition::Whole, tail: log.clone(), ..opened };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    let covered = Snapshot { slot: Slot(4), digest: log[3].digest, ..Snapshot::default() };
    assert!(group.confirm(Time(1), &covered));
    while group.deliver().is_some() {}
    group.settle(Time(1));
    let electorate = Electorate::of(second);
    let [below, whole] = [1, 4].map(|upto| Job::Deliver { upto: Slot(upto) });
    assert_eq!(persisted(&mut group), [below, Job::Electorate { electorate }, whole]);
}

/// A member that was given a seat and has lost it may say for a moment that it never had one: it comes in with another store.
#[test]
fn l13_a_store_whose_seat_was_taken_gets_none_although_it_does_not_know() {
    let (_, log, opened) = changed_and_lost();
    let opened = Opened { condition: Condition::Whole, delivered: log, tail: Vec::new(), ..opened };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    while group.deliver().is_some() {}
    group.meet(Time(1), m(3));
    for (store, comes) in [(3, Err(admission::Unfit::HadASeat)), (33, Ok(StoreId([33; 16])))] {
        let store = StoreId([store; 16]);
        let unaware = message::Heartbeat { whole: true, store, seated: false, ..message::Heartbeat::default() };
        group.message(Time(1), m(3), Message::Heartbeat(unaware));
        group.tick(Time(1), &Near(Time(1)));
        assert_eq!(group.comes_with(Time(1), m(3)), comes);
    }
}

/// A replica that came back with slots that others may count on, not knowing that they are committed, is
/// offered a snapshot of some of them: it learns that so much is committed, and gives up nothing (RULES S9).
#[test]
fn s9_a_snapshot_takes_nothing_from_a_log_that_holds_more() {
    let (view, tail) = content::empty_slots(ClusterId([7; 16]), 5);
    let covered = Snapshot { slot: Slot(3), digest: tail[2].digest, ..Snapshot::default() };
    let opened = Opened { store: StoreId([1; 16]), promise: view, tail, ..Opened::default() };
    let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    assert!(group.may_adopt(&covered) && group.confirm(Time(1), &covered));
    assert_eq!((group.log().committed(), group.log().end()), (Slot(3), Slot(5)));
    let other = Snapshot { slot: Slot(4), digest: Digest(1), ..Snapshot::default() };
    assert!(group.may_adopt(&other) && !group.confirm(Time(1), &other), "another history is not confirmed");
    assert!(!group.may_adopt(&covered), "what is committed is not taken back");
}

/// Everyone is heard, just now.
pub(super) struct Near(pub(super) Time);

impl Mesh for Near {
    fn heard_at(&self, _: MemberId) -> Option<Time> {
        Some(self.0)
    }
    fn gap_since(&self, _: MemberId) -> Option<Time> {
        None
    }
    fn full_size_at(&self, _: MemberId) -> Option<Time> {
        Some(self.0)
    }
}

/// The notes that a group sends when it is called at this time.
pub(super) fn notes(group: &mut Group, now: Time) -> Vec<(MemberSet, Message)> {
    group.tick(now, &Near(now));
    let outputs = core::iter::from_fn(|| group.poll());
    outputs
        .filter_map(|output| if let Output::Note { to, message, .. } = output { Some((to, message)) } else { None })
        .collect()
}

/// What a heartbeat of this group says.
fn heartbeat(group: &mut Group) -> message::Heartbeat {
    let said = notes(group, Time(1)).into_iter().map(|(_, message)| message);
    let mut said =
        said.filter_map(|note| if let Message::Heartbeat(heartbeat) = note { Some(heartbeat) } else { None });
    said.next().expect("it says that it is there")
}

/// The slots that gave a store its seat, and took it, are behind a snapshot: it still says that it has had one,
/// so that the others tell it that it has none (RULES S5, L13).
#[test]
fn a_removed_member_knows_that_it_had_a_seat() {
    let (view, _) = content::empty_slots(ClusterId([7; 16]), 1);
    let configuration = |number, members: &[u8]| {
        let seat = |n: &u8| crate::ids::Seat { member: m(*n), store: Some(StoreId([*n; 16])) };
        Configuration { number, seats: members.iter().map(seat).collect() }
    };
    let snapshot = Snapshot { slot: Slot(50), configuration: configuration(4, &[2, 3]), ..Snapshot::default() };
    let opened = Opened { store: StoreId([1; 16]), promise: view, snapshot: Some(snapshot), ..Opened::default() };
    let open = |opened| Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
    let mut stranger = open(opened.clone());
    assert!(!heartbeat(&mut stranger).seated, "perhaps it was only proposed");
    let mut member = open(Opened { configuration: Some(configuration(1, &[1, 2, 3])), ..opened });
    assert!(heartbeat(&mut member).seated && !member.votes());
}

/// What is lost of an archive was applied once, in a cluster that had begun (RULES S12).
#[test]
fn a_hollow_store_founds_no_cluster() {
    let store = StoreId([1; 16]);
    let open = |condition| {
        let opened = Opened { store, condition, ..Opened::default() };
        Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened)
    };
    assert!(open(Condition::Whole).votes());
    assert!(!open(Condition::Forgetful).votes());
    assert!(!open(Condition::Hollow { base: Slot(7), digest: Digest(7) }).votes());
}

/// Of two who are ahead the further one is asked, unless the last snapshot from there was not what it was said
/// to be.
#[test]
fn who_has_sent_a_wrong_snapshot_is_asked_last() {
    for (distrusted, asked) in [(MemberSet::EMPTY, set(&[2])), (set(&[2]), set(&[3])), (set(&[2, 3]), set(&[2]))] {
        let opened = Opened { store: StoreId([1; 16]), ..Opened::default() };
        let mut group = Group::new(Time(0), first_of_three(), BootId([1; 16]), 1, opened);
        group.distrust(distrusted);
        notes(&mut group, Time(1));
        for (member, committed) in [(2, 10), (3, 9)] {
            let ahead = message::Heartbeat { whole: true, committed: Slot(committed), ..message::Heartbeat::default() };
            group.message(Time(1), m(member), Message::Heartbeat(ahead));
        }
        let said = notes(&mut group, Time(2));
        let wanted = said.iter().filter(|(_, note)| matches!(note, Message::WantLog(_))).map(|(to, _)| *to);
        assert_eq!(wanted.collect::<Vec<_>>(), [asked]);
    }
}
