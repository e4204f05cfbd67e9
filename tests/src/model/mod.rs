//! A model check of the group itself: three replicas, a few requests, and every order of what may happen.
//!
//! ```text
//!   streams   of a view, each in its order          a step delivers the next message of one
//!   notes     prepare, promise, install             any of them, in any order, lost, late or twice
//!   marks     what each says that it has durable    the newest at any time, one of the former view late
//!   disks     a list, and the jobs on the way       a step makes the first one durable
//!   faults    a member alone, a power cut,          a few
//!             a new disk
//! ```
//!
//! Nothing of the protocol is written again here: the states are those of [`Group`](ftq_core::group::Group).
//! What promises nothing (heartbeats, questions and their answers, the fetching of slots) comes at once where
//! two hear each other, and time passes in steps of a little more than the failure timeout: what is left are
//! the orders that decide what is kept. A state is known by all that it holds, down to the timers, and by what
//! has been committed on the way to it.

mod beginning;
mod choices;
mod member;
mod step;
mod watch;

pub use beginning::Beginning;

use crate::checkers::Invariant;
use crate::checkers::durability::Durability;
use ftq_core::ids::{Ballot, Digest, MemberId};
use ftq_core::time::{Span, Time};
use member::Member;
use stateright::{Checker, Expectation, Model, Property};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// How many replicas there are.
const MEMBERS: usize = 3;

/// Time passes in steps of this: who is not heard for one is missed.
const STEP: Span = Span::millis(310);

fn id(index: usize) -> MemberId {
    u8::try_from(index + 1).ok().and_then(MemberId::new).expect("a small cluster")
}

/// How much of each kind may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Requests that are submitted.
    pub requests: u8,
    /// Steps of time.
    pub steps: u8,
    /// Power cuts, each with a restart.
    pub power_cuts: u8,
    /// Disks that are lost, each with a restart on a new one.
    pub new_disks: u8,
    /// Times that somebody is cut off from the others.
    pub cuts: u8,
    /// Notes that come twice.
    pub copies: u8,
}

/// The model: where it begins, and how much may happen from there.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// Where it begins.
    pub beginning: Beginning,
    /// How much may happen.
    pub budget: Budget,
}

impl From<Beginning> for Cluster {
    fn from(beginning: Beginning) -> Cluster {
        Cluster { beginning, budget: beginning.budget() }
    }
}

/// Messages in the order of their sender, each with its epoch.
type Stream = VecDeque<(u64, Vec<u8>)>;

/// Three replicas and what is between them.
#[derive(Clone, Debug)]
pub struct State {
    now: Time,
    members: [Arc<Known>; MEMBERS],
    /// What each has broadcast to each, and is not delivered.
    streams: BTreeMap<(usize, usize), Stream>,
    notes: BTreeSet<Note>,
    /// Who is cut off from the others.
    alone: Option<usize>,
    left: Budget,
    past: Arc<Past>,
}

/// A member with what stands for all of its state.
#[derive(Clone, Debug)]
struct Known {
    member: Member,
    fingerprint: u128,
}

/// Something that may come late, or again, or never.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Note {
    /// A message.
    Message { from: usize, to: usize, bytes: Vec<u8> },
    /// A mark of a view that its sender has left.
    Mark { from: usize, to: usize, epoch: u64, trailer: Vec<u8> },
}

/// What has happened so far that no replica need remember.
#[derive(Clone, Debug)]
struct Past {
    durability: Durability,
    /// What was applied, wherever it was first.
    applied: Vec<Digest>,
    /// The views that were installed, the highest of them, and the slots that an install has cut off.
    views: u8,
    highest: Ballot,
    cut: u64,
    disks_lost: u8,
    broken: Option<(Invariant, String)>,
    fingerprint: u128,
}

/// Something that may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A client's request comes to a member.
    Submit(usize),
    /// The next message of a stream comes.
    Stream(usize, usize),
    /// A note comes, by its place among them.
    Note(usize),
    /// A note comes, and will come again.
    Again(usize),
    /// The newest mark of one member comes to another.
    Mark(usize, usize),
    /// The next job of a member's disk is durable.
    Sync(usize),
    /// A member loses its power, and starts again.
    PowerCut(usize),
    /// A member loses its disk, and starts again with a new one.
    NewDisk(usize),
    /// A member hears nobody and is not heard.
    CutOff(usize),
    /// All hear each other again.
    Mend,
    /// Time passes.
    Pass,
}

impl State {
    /// All that a state is known by.
    fn identity(&self) -> impl Hash + PartialEq + '_ {
        let members = self.members.each_ref().map(|known| known.fingerprint);
        (self.now.0, members, &self.streams, &self.notes, self.alone, self.left, self.past.fingerprint)
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.identity() == other.identity()
    }
}

impl Known {
    fn new(member: Member) -> Arc<Known> {
        let fingerprint = xxh3_128(format!("{member:?}").as_bytes());
        Arc::new(Known { member, fingerprint })
    }
}

impl Model for Cluster {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.beginning.state(self.budget)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        state.actions(actions);
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        if panic::catch_unwind(AssertUnwindSafe(|| state.happen(action))).is_err() {
            state = before.clone();
            state.panicked(action);
        }
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Cluster>> {
        vec![
            Property::always("nothing is lost, and nothing is told that is not so", |_, state: &State| {
                state.past.broken.is_none()
            }),
            Property::sometimes("that for the sake of which one begins there", |model: &Cluster, state| {
                model.beginning.is_reached(state)
            }),
        ]
    }
}

impl State {
    /// What did not hold, if anything.
    pub fn broken(&self) -> Option<&(Invariant, String)> {
        self.past.broken.as_ref()
    }
}

/// Whether nothing broke, and all that had to be reached was; else what, and by which steps.
pub fn verdict(checker: &impl Checker<Cluster>) -> Result<(), String> {
    for property in checker.model().properties() {
        match (property.expectation, checker.discovery(property.name)) {
            (Expectation::Sometimes, Some(_)) | (Expectation::Always | Expectation::Eventually, None) => {}
            (Expectation::Sometimes, None) => return Err(format!("never reached: {}", property.name)),
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                let (invariant, what) = path.last_state().broken().expect("nothing else is demanded always").clone();
                return Err(format!("broken: {}: {what}, by {:?}", invariant.name(), path.into_actions()));
            }
        }
    }
    Ok(())
}
