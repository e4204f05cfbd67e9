//! Why nothing is served, and what to do: said when that lasts, and again now and then as long as it does.

use ftq_core::group::Group;
use ftq_core::ids::{MemberId, MemberSet};
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

    /// Looks at how it is, and says so when it is time to.
    pub(crate) fn look(&mut self, now: Time, group: &Group, me: MemberId, directory: &Path) {
        if group.is_serving(now) {
            (self.served_at, self.say_at) = (now, now + AFTER);
        } else if now >= self.say_at {
            self.say_at = now + EVERY;
            let seconds = now.since(self.served_at).0 / 1_000_000;
            log::warn!("nothing has been served here for {seconds} s: {}", why(now, group, me, directory));
        }
    }
}

/// What is missing, by what the log knows of the cluster and who is heard.
fn why(now: Time, group: &Group, me: MemberId, directory: &Path) -> String {
    let members = group.log().electorate().set();
    let present = group.heard(now).with(me).intersection(members);
    let absent = members.minus(present);
    let voters = group.voters(now).intersection(present);
    let forgetful = present.minus(voters);
    let enough = |set: MemberSet| group.log().electorate().may_form_view(set);
    let place = directory.display();
    if !enough(present) {
        return format!(
            "of the members {members} only {present} hear each other, which is no quorum. Is ftqd running on {absent}, does \
             the network let UDP through, are the keys the same?"
        );
    }
    if !enough(voters) {
        let wait = if absent.is_empty() { String::new() } else { format!("Start {absent}. ") };
        return format!(
            "{forgetful} have lost their journals, and the others alone are no quorum. {wait}If nobody with a whole store is \
             left to start: stop all, run `ftqd start-anew {place}` here, and on each other member the command that it prints; \
             the old stores are kept aside"
        );
    }
    format!("{present} hear each other and could form a view: if this stays so, look at their logs and disks")
}
