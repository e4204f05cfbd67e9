//! Where a model begins: the real groups are driven, one thing after another, to just before what a rule is
//! about. From there a few things more decide, and all orders of these can be looked at.

use super::member::Member;
use super::step::place;
use super::{Action, Budget, Known, MEMBERS, Note, Past, State};
use ftq_core::ids::Slot;
use ftq_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// How many steps of time a view takes to form, at most.
const FORMED: usize = 20;

/// While a beginning is prepared nothing is short.
const PLENTY: Budget = Budget { requests: 200, steps: 200, power_cuts: 200, new_disks: 1, cuts: 200, copies: 200 };

/// A place from which everything that may happen is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// All three are in a view.
    Healthy,
    /// One is cut off with a slot that nobody else has, and the others miss it.
    Tail,
    /// One has two slots, in place of which the two others have committed one in a later view. It is back just when
    /// one of these asks for promises once more (RULES S1, S11).
    Replaced,
    /// Two have committed a slot that the third lacks. One of them is back with a new disk, and hears the third
    /// alone (RULES S7).
    Behind,
    /// All three are in a view, and its install comes once more (RULES S3).
    Twice,
}

impl Beginning {
    /// All of them.
    pub const ALL: [Beginning; 5] =
        [Beginning::Healthy, Beginning::Tail, Beginning::Replaced, Beginning::Behind, Beginning::Twice];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Beginning::Healthy => "healthy",
            Beginning::Tail => "tail",
            Beginning::Replaced => "replaced",
            Beginning::Behind => "behind",
            Beginning::Twice => "twice",
        }
    }

    /// How much happens from there if nothing else is said.
    pub fn budget(self) -> Budget {
        let nothing = Budget { requests: 0, steps: 0, power_cuts: 0, new_disks: 0, cuts: 0, copies: 0 };
        match self {
            Beginning::Healthy => Budget { requests: 2, steps: 3, power_cuts: 1, cuts: 2, copies: 1, ..nothing },
            Beginning::Tail => Budget { requests: 2, steps: 3, power_cuts: 1, cuts: 2, ..nothing },
            Beginning::Replaced => Budget { power_cuts: 1, copies: 1, ..nothing },
            Beginning::Behind => Budget { steps: 2, ..nothing },
            Beginning::Twice => Budget { requests: 1, ..nothing },
        }
    }

    /// Whether that has happened for the sake of which one begins there.
    pub(super) fn is_reached(self, state: &State) -> bool {
        let past = &state.past;
        match self {
            Beginning::Healthy => past.views >= 1 && past.applied.len() >= 2,
            Beginning::Tail => past.views >= 2 && past.cut > 0,
            Beginning::Replaced => {
                past.views >= 1 && state.members.iter().all(|known| known.member.disk.promise == past.highest)
            }
            Beginning::Behind => past.views >= 1,
            Beginning::Twice => past.applied.len() >= 2 && state.notes.is_empty(),
        }
    }

    /// The state there.
    pub(super) fn state(self, budget: Budget) -> State {
        let mut state = State::formed();
        match self {
            Beginning::Healthy => {}
            Beginning::Tail => state.part_with_a_tail(),
            Beginning::Replaced => state.replace_a_tail(),
            Beginning::Behind => state.fall_behind(),
            Beginning::Twice => state.keep_the_install(),
        }
        state.left = budget;
        state.forget_the_beginning();
        state
    }
}

impl FromStr for Beginning {
    type Err = String;

    fn from_str(name: &str) -> Result<Beginning, String> {
        let names = Beginning::ALL.map(Beginning::name).join(", ");
        let named = Beginning::ALL.into_iter().find(|beginning| beginning.name() == name);
        named.ok_or_else(|| format!("there is no beginning {name}; there are {names}"))
    }
}

/// What leads to each.
impl State {
    /// All three are in one view that has ordered its seal.
    fn formed() -> State {
        let now = Time(1_000_000);
        let member = |index| Known::new(Member::start(now, index, 1, Member::blank(index, 0)));
        let mut state = State {
            now,
            members: [member(0), member(1), member(2)],
            streams: BTreeMap::new(),
            notes: BTreeSet::new(),
            alone: None,
            left: PLENTY,
            past: Past::new().known(),
        };
        state.form();
        state
    }

    /// Whose turn it is orders a request, has it durable, and is cut off; the others miss it.
    fn part_with_a_tail(&mut self) {
        let one = self.turn(0);
        self.happen(Action::Submit(one));
        self.happen(Action::CutOff(one));
        self.sync_all(one);
        assert_eq!(self.ends(), self.only(one, 2, 1), "the seal and the request, and the seal alone");
    }

    /// Two turns come to one member only, which is cut off; whose turn was the second forgets both by a power
    /// cut, and commits another slot together with the third.
    fn replace_a_tail(&mut self) {
        let one = self.turn(0);
        self.happen(Action::Submit(one));
        let other = self.turn(one);
        self.come(one, other);
        self.happen(Action::Submit(other));
        self.come(other, one);
        self.happen(Action::CutOff(one));
        self.sync_all(one);
        self.happen(Action::PowerCut(other));
        self.form();
        let third = (0..MEMBERS).find(|index| *index != one && *index != other).expect("three members");
        let turn = self.turn(other);
        let partner = if turn == other { third } else { other };
        self.happen(Action::Submit(turn));
        self.come(turn, partner);
        self.sync_all(turn);
        self.sync_all(partner);
        self.happen(Action::PowerCut(third));
        self.pass_until_a_ballot();
        // What was on the way before is lost.
        self.notes.clear();
        self.happen(Action::Mend);
        assert_eq!(self.ends(), self.only(one, 3, 2), "two slots that nobody else has, and one that all others have");
        assert_eq!(self.past.durability.end(), Slot(2), "the seal and the request");
    }

    /// Whose turn it is orders a request, and one other has it too: it is committed, and the third hears nothing.
    /// Then the other has a new disk, and hears the third instead.
    fn fall_behind(&mut self) {
        let one = self.turn(0);
        let (other, last) = ((one + 1) % MEMBERS, (one + 2) % MEMBERS);
        self.happen(Action::CutOff(last));
        self.happen(Action::Submit(one));
        self.come(one, other);
        for member in [one, other] {
            self.sync_all(member);
        }
        self.happen(Action::Mark(other, one));
        assert_eq!(self.ends(), self.only(last, 1, 2), "the seal and the request, and the seal alone");
        assert_eq!(self.past.applied.len(), 2, "the seal and the request");
        self.happen(Action::NewDisk(other));
        self.happen(Action::Mend);
        self.happen(Action::CutOff(one));
        self.notes.clear();
    }

    /// A member is restarted, and the install of the view that takes it in is on the way once more.
    fn keep_the_install(&mut self) {
        self.happen(Action::PowerCut(0));
        let installs = self.form().into_iter().filter(Note::is_install);
        self.notes = installs.collect();
        assert!(!self.notes.is_empty(), "a view has an install");
    }

    /// Time passes until all who are not cut off are in a view that has ordered its seal. Gives the notes that came.
    fn form(&mut self) -> BTreeSet<Note> {
        let mut came = BTreeSet::new();
        for _ in 0..FORMED {
            if self.is_formed() {
                return came;
            }
            self.happen(Action::Pass);
            came.extend(self.calm());
        }
        panic!("healthy replicas form no view");
    }

    /// Time passes until one proposes a view, and its own promise of that is on the way to its disk.
    fn pass_until_a_ballot(&mut self) {
        for _ in 0..FORMED {
            self.happen(Action::Pass);
            if self.members.iter().any(|known| !known.member.jobs.is_empty()) {
                return;
            }
        }
        panic!("nobody proposes a view");
    }

    fn is_formed(&self) -> bool {
        let mut there =
            (0..MEMBERS).filter(|index| self.alone != Some(*index)).map(|index| &self.members[index].member);
        there.all(|member| member.group.is_serving(self.now) && !member.disk.delivered.is_empty())
    }

    /// Everything that is on the way comes. Gives the notes that came.
    fn calm(&mut self) -> BTreeSet<Note> {
        let mut came = BTreeSet::new();
        loop {
            let mut actions = Vec::new();
            self.actions(&mut actions);
            let Some(action) = actions.into_iter().rfind(Action::is_on_the_way) else { return came };
            if let Action::Note(at) = action {
                came.extend(self.notes.iter().nth(at).cloned());
            }
            self.happen(action);
        }
    }

    /// All of a member's stream comes to another.
    fn come(&mut self, from: usize, to: usize) {
        while self.next_of_stream(from, to).is_some() {
            self.happen(Action::Stream(from, to));
        }
    }

    /// All that a member's disk was given is durable.
    fn sync_all(&mut self, index: usize) {
        while !self.members[index].member.jobs.is_empty() {
            self.happen(Action::Sync(index));
        }
    }

    /// Whose turn it is, as a member sees it.
    fn turn(&self, seen_by: usize) -> usize {
        let group = &self.members[seen_by].member.group;
        place(group.view().sequencer(group.log().end().next()).expect("a view has a ring"))
    }

    /// How many slots are on each disk.
    fn ends(&self) -> [usize; MEMBERS] {
        self.members.each_ref().map(|known| known.member.log().count())
    }

    /// So many for one, and so many for all others.
    fn only(&self, one: usize, its: usize, others: usize) -> [usize; MEMBERS] {
        std::array::from_fn(|index| if index == one { its } else { others })
    }

    fn forget_the_beginning(&mut self) {
        let mut past = (*self.past).clone();
        (past.views, past.cut) = (0, 0);
        self.past = past.known();
        self.members = self.members.clone().map(|known| Known::new(known.member.clone()));
    }
}
