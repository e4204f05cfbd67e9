//! Why nothing is served, and what to do: said when that lasts, and again now and then as long as it does.

use crate::advice::{Here, Left};
use ftq_core::ids::{MemberId, MemberSet};
use ftq_core::machine::Machine;
use ftq_core::replica::Replica;
use ftq_core::time::{Span, Time};
use std::path::Path;

/// A view change takes less by far; whoever waits for so long wants to know why.
const AFTER: Span = Span::secs(20);

/// How often it is said.
const EVERY: Span = Span::secs(300);

/// Watches whether clients are served.
#[derive(Debug)]
pub(crate) struct Stuck {
    served_at: Time,
    say_at: Time,
}

impl Stuck {
    /// Nothing is served yet.
    pub(crate) fn new(now: Time) -> Stuck {
        Stuck { served_at: now, say_at: now + AFTER }
    }

    /// Looks at how it is; what there is to say when it is time to.
    pub(crate) fn look<M: Machine>(
        &mut self,
        now: Time,
        replica: &Replica<M>,
        me: MemberId,
        directory: &Path,
    ) -> Option<String> {
        if replica.is_serving(now) {
            (self.served_at, self.say_at) = (now, now + AFTER);
            return None;
        }
        if now < self.say_at {
            return None;
        }
        self.say_at = now + EVERY;
        let seconds = now.since(self.served_at).0 / 1_000_000;
        Some(format!("nothing has been served here for {seconds} s: {}", why(now, replica, me, directory)))
    }
}

/// What is missing, by what the log knows of the cluster and who is heard.
fn why<M: Machine>(now: Time, replica: &Replica<M>, me: MemberId, directory: &Path) -> String {
    let group = replica.group();
    let members = group.log().electorate().set();
    let heard = group.heard(now);
    if let Some(end) = replica.replays_to() {
        return format!(
            "what was in the store is applied, slot {} of {end}: it goes on by itself",
            group.log().delivered()
        );
    }
    if members.is_empty() && heard.is_empty() {
        return "this replica is to come into a cluster of which it knows nothing yet, and hears nobody. It asks at the \
                addresses in `join`; who answers speaks to the address in `peer`: do both let UDP through?"
            .to_owned();
    }
    if members.is_empty() {
        return format!(
            "this replica hears {heard}, and has learned nothing of their cluster yet: do they serve? `ftqctl status` says it"
        );
    }
    if !members.contains(me) {
        let hears = if heard.is_empty() { "it hears nobody".to_owned() } else { format!("it hears {heard}") };
        return format!(
            "this replica is none of the members {members}, and {hears}. It is one when somebody says `ftqctl member add {me}`, \
             or `ftqctl member replace`"
        );
    }
    let present = heard.with(me).intersection(members);
    let absent = members.minus(present);
    let voters = group.voters(now).intersection(present);
    let forgetful = present.minus(voters);
    let order = || {
        let left = match (group.has_state(), group.voters(now).contains(me)) {
            (false, _) => Left::Nothing,
            (true, true) => Left::Seated,
            (true, false) => Left::Seatless,
        };
        Here { me, directory, is_alone: members == MemberSet::of(me) }.order(left)
    };
    let enough = |set: MemberSet| group.log().electorate().may_form_view(set);
    if !enough(present) {
        return format!(
            "of the members {members} only {present} hear each other, which is no quorum. Is ftqd running on {absent}, does \
             the network let UDP through, are the keys the same? If {absent} can never come back, with what they had: stop \
             this, and {}",
            order()
        );
    }
    if !enough(voters) {
        let wait = if absent.is_empty() { String::new() } else { format!("Start {absent}. ") };
        return format!(
            "{forgetful} have lost their journals, and the others alone are no quorum. {wait}If nobody else can be started: \
             stop all, and {}",
            order()
        );
    }
    if !group.votes() {
        return format!(
            "this replica's store is not the one that the others know of {me}. They admit it by themselves, when a quorum of \
             them is at work and it has caught up ({} of {} slots). If it never was a member, it is one when somebody says \
             `ftqctl member add {me}`",
            group.log().delivered(),
            group.known_committed(now)
        );
    }
    format!("{present} hear each other and could form a view: if this stays so, look at their logs and disks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftq_core::ids::{BootId, ClusterId, Configuration, Seat, Slot, StoreId};
    use ftq_core::machine::list::Lists;
    use ftq_core::replica::{Input, Options, Order};
    use ftq_core::session::table::Sessions;
    use ftq_core::store::{Opened, Snapshot};

    const SECOND: u64 = 1_000_000;

    fn id(id: u8) -> MemberId {
        MemberId::new(id).expect("an id")
    }

    /// A replica that nobody talks to, over a store that knows this cluster.
    fn alone(me: u8, cluster: Option<Configuration>) -> Replica<Lists> {
        over(me, Opened { store: StoreId([me; 16]), configuration: cluster, ..Opened::default() })
    }

    fn over(me: u8, opened: Opened) -> Replica<Lists> {
        let options = Options {
            me: id(me),
            cluster: ClusterId([7; 16]),
            founding: [1, 2, 3].map(id).into_iter().collect(),
            order: Order::Rotating,
            datagram_max: 1_400,
            snapshot_every: 10,
            memory_bytes: None,
            log_keep: 0,
        };
        Replica::new(Time(0), options, BootId([1; 16]), 1, opened, Lists::default())
    }

    /// What is said in so many seconds of its life, with the second in which it is said.
    fn said(replica: &mut Replica<Lists>, me: u8, seconds: u64) -> Vec<(u64, String)> {
        let mut stuck = Stuck::new(Time(0));
        let mut said = Vec::new();
        for second in 0..seconds {
            let now = Time(second * SECOND);
            replica.handle(now, Input::Tick);
            while replica.poll(now).is_some() {}
            said.extend(stuck.look(now, replica, id(me), Path::new("/data")).map(|line| (second, line)));
        }
        said
    }

    #[test]
    fn it_is_said_after_a_while_and_now_and_then() {
        let said = said(&mut alone(1, None), 1, 700);
        assert_eq!(said.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [20, 320, 620]);
        let (_, line) = &said[0];
        assert!(
            line.starts_with("nothing has been served here for 20 s: of the members 1, 2, 3 only 1 hear"),
            "{line}"
        );
    }

    /// It has all that it needs, and would be told to look at disks that are well.
    #[test]
    fn who_waits_to_be_added_is_told_how() {
        let seat = |member| Seat { member: id(member), store: Some(StoreId([member; 16])) };
        let cluster = Configuration { number: 3, seats: [1, 2, 3].map(seat).into_iter().collect() };
        let said = said(&mut alone(4, Some(cluster)), 4, 30);
        let [(20, line)] = said.as_slice() else { panic!("{said:?}") };
        assert!(line.contains("none of the members 1, 2, 3") && line.contains("`ftqctl member add 4`"), "{line}");
    }

    /// The lower of two, whose other one is gone: nobody can admit that one again (RULES S7).
    #[test]
    fn who_is_left_alone_is_told_of_the_order() {
        let seat = |member| Seat { member: id(member), store: Some(StoreId([member; 16])) };
        let cluster = Configuration { number: 1, seats: [1, 2].map(seat).into_iter().collect() };
        let mut machine = Sessions::new(Lists::default());
        let (pieces, state) = (machine.snapshot(), machine.digest());
        let snapshot = Snapshot { slot: Slot(7), configuration: cluster, state, pieces, ..Snapshot::default() };
        let mut replica = over(1, Opened { store: StoreId([1; 16]), snapshot: Some(snapshot), ..Opened::default() });
        let said = said(&mut replica, 1, 30);
        let [(20, line)] = said.as_slice() else { panic!("{said:?}") };
        assert!(line.contains("If 2 can never come back") && line.contains("`ftqd go-on-alone /data`"), "{line}");
    }
}
