//! One seed from its start to its verdict: trouble, then calm, then a look at who agrees; and in a
//! second world without trouble a few calls whose datagrams are lost just when all else is silent.

use crate::checkers::history::End;
use crate::checkers::{Invariant, Violation};
use crate::counts::{Count, Counts};
use crate::faults::{Plan, Profile};
use crate::trace::Trace;
use crate::world::World;
use ftq_core::time::Span;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

/// Whoever has lost its quorum does nothing for so long.
const NOTHING: Span = Span::secs(5);

/// After the trouble, everything is answered and all agree within this.
const CALM_MAX: Span = Span::secs(10);

/// How often it is looked whether all agree.
const LOOK_EVERY: Span = Span::millis(50);

/// How many in a thousand of the datagrams are lost that carry a last call to the others.
const TAIL_LOSS: u64 = 500;

/// How soon the loss must be repaired: the answer is there. It is less than the distance of heartbeats,
/// which would find it too.
const TAIL_REPAIRED: Span = Span::millis(40);

/// How long the second world has to form its view.
const TAIL_START: Span = Span::secs(1);

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What happened.
    pub counts: Counts,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The lines of a collected trace.
    pub text: String,
}

/// Runs a seed, and takes a panic for a verdict.
pub fn run(profile: Profile, seed: u64, trace: Trace) -> Verdict {
    PANIC.with_borrow_mut(String::clear);
    panic::catch_unwind(AssertUnwindSafe(|| run_plan(profile, seed, trace))).unwrap_or_else(|_| {
        let what = PANIC.with_borrow(Clone::clone);
        let violation = Violation { invariant: Invariant::NoPanic, what, at: ftq_core::time::Time(0) };
        Verdict { seed, counts: Counts::default(), violation: Some(violation), text: String::new() }
    })
}

thread_local! {
    /// What the last panic of this thread said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what panics say, for the verdict, instead of printing it.
pub fn catch_panics() {
    panic::set_hook(Box::new(|info| PANIC.with_borrow_mut(|text| *text = info.to_string().replace('\n', " "))));
}

fn run_plan(profile: Profile, seed: u64, trace: Trace) -> Verdict {
    let plan = Plan::of(profile, seed);
    let mut verdict = run_trouble(seed, &plan, trace.clone());
    if verdict.violation.is_none() {
        let tail = run_tail(seed, &plan, trace);
        verdict.counts.merge(&tail.counts);
        verdict.text += &tail.text;
        verdict.violation = tail.violation;
    }
    verdict
}

/// Trouble, and then calm.
fn run_trouble(seed: u64, plan: &Plan, trace: Trace) -> Verdict {
    let mut world = plan.setup.clone().trace(trace).build_down();
    if plan.setup.order == ftq_core::replica::Order::Fixed {
        world.count(Count::FixedOrder);
    }
    if plan.setup.tick_late > Span::ZERO {
        world.count(Count::TickLate);
    }
    if plan.setup.beyond {
        world.count(Count::Beyond);
    }
    world.trouble(plan);
    if world.violation().is_none() {
        world.calm_after(plan);
    }
    world.verdict(seed)
}

/// Silence, and last calls in it.
fn run_tail(seed: u64, plan: &Plan, trace: Trace) -> Verdict {
    let mut world = plan.quiet().trace(trace).build();
    world.pass(TAIL_START);
    world.tail();
    world.verdict(seed)
}

impl World {
    /// Clients call, and things go wrong.
    fn trouble(&mut self, plan: &Plan) {
        self.start_apart(plan.starts_apart);
        for (client, load) in plan.loads.iter().enumerate() {
            self.load(client, load.clone());
        }
        self.pass(plan.trouble);
    }

    /// Nothing goes wrong any more. Where that leaves a quorum, all goes on; else nothing wrong is served.
    fn calm_after(&mut self, plan: &Plan) {
        if plan.setup.beyond && !self.has_quorum() {
            self.count(Count::QuorumLost);
            self.end_faults();
            self.pass(NOTHING);
        } else {
            self.calm();
        }
    }

    /// Nothing goes wrong any more: what is outstanding is answered, a last call of each client too, and
    /// all agree.
    fn calm(&mut self) {
        self.end_faults();
        // Who has room again has said so before the last calls.
        self.pass(LOOK_EVERY.times(2));
        for client in 0..self.clients() {
            self.stop_load(client);
        }
        let mut last: Vec<usize> = (0..self.clients()).map(|client| self.last_call(client)).collect();
        let until = self.now() + CALM_MAX;
        while self.now() < until && self.violation().is_none() && self.disagreement().is_some() {
            self.pass(LOOK_EVERY);
            // A session may have gone while its client was cut off; the next call opens another one.
            for (client, call) in last.iter_mut().enumerate() {
                if matches!(self.end(*call), Some(End::Expired | End::Unknown)) {
                    *call = self.last_call(client);
                }
            }
        }
        if let Some(why) = self.disagreement() {
            self.fail(Invariant::Progress, why);
        }
        for call in last {
            if self.violation().is_none() && !matches!(self.end(call), Some(End::Answered { .. })) {
                self.fail(Invariant::Progress, format!("call {call} ended as {:?}", self.end(call)));
            }
        }
    }

    /// A call at each member, and the last datagrams that it causes are lost now and then; then all is silent.
    fn tail(&mut self) {
        let client = self.pick_client();
        for member in self.ids() {
            // Not in step with the heartbeats.
            self.pass_about(LOOK_EVERY);
            self.bind_client(client, &[member]);
            let call = self.last_call(client);
            // From the client to the origin, from there to the sequencer: what they send is lost, and
            // not the marks that come later.
            let delay = self.link(1, 1).delay;
            self.lose_between_members(TAIL_LOSS, Span(delay.0 * 2 + delay.0 / 8));
            self.pass(TAIL_REPAIRED);
            if self.violation().is_some() {
                return;
            }
            if self.end(call).is_none() {
                let why =
                    format!("call {call} at member {member} is not answered after {} ms", TAIL_REPAIRED.0 / 1_000);
                self.fail(Invariant::TailRepaired, why);
                return;
            }
        }
    }
}
