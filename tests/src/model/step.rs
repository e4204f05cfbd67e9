//! What a step of the model does: one input to the real group, and what it wants done.

use super::member::{Done, Ears, Member};
use super::{Action, Budget, Known, MEMBERS, Note, Past, STEP, State, id};
use crate::checkers::Invariant;
use bytes::Bytes;
use ftq_core::group::message::Message;
use ftq_core::group::own::Token;
use ftq_core::group::{Group, Output};
use ftq_core::ids::{MemberId, Slot};
use ftq_core::replica::Event;
use ftq_core::store::{Opened, SlotRecord};
use ftq_core::time::Time;
use ftq_core::wire::Writer;
use ftq_storage::memory::Fact;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many steps of time a view takes to form, at most.
const FORMED: usize = 20;

/// Messages that come at once.
type Soon = VecDeque<(usize, usize, Message)>;

/// How a model begins.
impl State {
    /// All three are in one view that has ordered its seal.
    pub(super) fn formed(budget: Budget) -> State {
        let now = Time(1_000_000);
        let member = |index| Known::new(Member::start(now, index, 1, Member::blank(index, 0)));
        let mut state = State {
            now,
            members: [member(0), member(1), member(2)],
            streams: BTreeMap::new(),
            notes: BTreeSet::new(),
            alone: None,
            left: Budget { requests: 0, steps: 0, power_cuts: 0, new_disks: 0, cuts: 0, copies: 0 },
            past: Past::new().known(),
        };
        let is_formed = |state: &State| {
            state
                .members
                .iter()
                .all(|known| known.member.group.is_serving(state.now) && known.member.disk.delivered.len() == 1)
        };
        for _ in 0..FORMED {
            if !is_formed(&state) {
                state.pass();
                state.calm();
            }
        }
        assert!(is_formed(&state), "three healthy replicas form a view");
        state.left = budget;
        state.forget_the_beginning();
        state
    }

    /// Whose turn it is orders a request, has it durable, and is cut off; the others miss it.
    pub(super) fn part_with_a_tail(&mut self) {
        let group = &self.members[0].member.group;
        let turn = group.view().sequencer(group.log().end().next()).expect("a view has a ring");
        let index = place(turn);
        self.happen(Action::Submit(index));
        self.happen(Action::CutOff(index));
        while !self.members[index].member.jobs.is_empty() {
            self.happen(Action::Sync(index));
        }
        assert_eq!(self.members[index].member.log().count(), 2, "the seal and the request");
    }

    /// Whose turn it is orders a request, and one other has it too: it is committed, and the third hears nothing.
    pub(super) fn fall_behind(&mut self) {
        let group = &self.members[0].member.group;
        let turn = group.view().sequencer(group.log().end().next()).expect("a view has a ring");
        let index = place(turn);
        let (other, last) = ((index + 1) % MEMBERS, (index + 2) % MEMBERS);
        self.happen(Action::CutOff(last));
        self.happen(Action::Submit(index));
        while self.next_of_stream(index, other).is_some() {
            self.happen(Action::Stream(index, other));
        }
        for member in [index, other] {
            while !self.members[member].member.jobs.is_empty() {
                self.happen(Action::Sync(member));
            }
        }
        self.happen(Action::Mark(other, index));
        assert_eq!(self.past.applied.len(), 2, "the seal and the request");
        assert_eq!(self.members[last].member.log().count(), 1, "the seal alone");
    }

    /// Everything that is on the way comes.
    fn calm(&mut self) {
        loop {
            let mut actions = Vec::new();
            self.actions(&mut actions);
            let Some(action) = actions.last().copied() else { return };
            self.happen(action);
        }
    }

    fn forget_the_beginning(&mut self) {
        let mut past = (*self.past).clone();
        (past.views, past.cut) = (0, 0);
        self.past = past.known();
        self.members = self.members.clone().map(|known| Known::new(known.member.clone()));
    }
}

/// What may happen, and what it does.
impl State {
    /// Faults come first: a search that looks at the last one first sees what a healthy cluster does.
    pub(super) fn actions(&self, actions: &mut Vec<Action>) {
        let all = 0..MEMBERS;
        let left = self.left;
        actions.extend(self.notes.iter().enumerate().filter(|_| left.copies > 0).map(|(at, _)| Action::Again(at)));
        actions.extend(all.clone().filter(|_| left.power_cuts > 0).map(Action::PowerCut));
        actions.extend(all.clone().filter(|_| left.new_disks > 0).map(Action::NewDisk));
        actions.extend(all.clone().filter(|_| left.cuts > 0 && self.alone.is_none()).map(Action::CutOff));
        actions.extend(self.alone.map(|_| Action::Mend));
        actions.extend((left.steps > 0).then_some(Action::Pass));
        let serves = |index: &usize| self.members[*index].member.group.is_serving(self.now);
        actions.extend(all.clone().filter(|_| left.requests > 0).filter(serves).map(Action::Submit));
        let comes = |note: &Note| match note {
            Note::Message { from, to, .. } | Note::Mark { from, to, .. } => self.hear_each_other(*from, *to),
        };
        actions.extend(self.notes.iter().enumerate().filter(|(_, note)| comes(note)).map(|(at, _)| Action::Note(at)));
        for (from, to) in self.pairs() {
            if self.next_of_stream(from, to).is_some() {
                actions.push(Action::Stream(from, to));
            }
            if self.has_news(from, to) {
                actions.push(Action::Mark(from, to));
            }
        }
        actions.extend(all.filter(|index| !self.members[*index].member.jobs.is_empty()).map(Action::Sync));
    }

    /// Does one thing, and all that follows from it at once.
    pub(super) fn happen(&mut self, action: Action) {
        let before = self.members.clone();
        let past = Arc::clone(&self.past);
        match action {
            Action::Submit(index) => {
                self.left.requests -= 1;
                let body = Bytes::from(vec![id(index).number(), self.left.requests]);
                let token = Token(u64::from(self.left.requests));
                self.touch(index, |group, _| group.submit(token, body));
            }
            Action::Stream(from, to) => self.stream(from, to),
            Action::Note(at) => {
                let Some(note) = self.notes.iter().nth(at).cloned() else { return };
                self.notes.remove(&note);
                self.note(note);
            }
            Action::Again(at) => {
                self.left.copies -= 1;
                let Some(note) = self.notes.iter().nth(at).cloned() else { return };
                self.note(note);
            }
            Action::Mark(from, to) => {
                let sender = &self.members[from].member;
                let (epoch, trailer) = (sender.epoch, Bytes::from(sender.trailer(self.now)));
                self.touch(to, |group, _| group.on_trailer(id(from), epoch, trailer));
            }
            Action::Sync(index) => self.sync(index),
            Action::PowerCut(index) => {
                self.left.power_cuts -= 1;
                let disk = self.members[index].member.disk.clone();
                self.restart(index, disk);
            }
            Action::NewDisk(index) => {
                self.left.new_disks -= 1;
                self.restart(index, Member::blank(index, self.left.new_disks + 1));
            }
            Action::CutOff(index) => {
                self.left.cuts -= 1;
                self.alone = Some(index);
            }
            Action::Mend => {
                self.alone = None;
                self.introduce();
            }
            Action::Pass => {
                self.left.steps -= 1;
                self.pass();
            }
        }
        self.idle_disks();
        for (index, before) in before.iter().enumerate() {
            if !Arc::ptr_eq(before, &self.members[index]) {
                self.check(index);
                self.members[index] = Known::new(self.members[index].member.clone());
            }
        }
        if !Arc::ptr_eq(&past, &self.past) {
            self.past = (*self.past).clone().known();
        }
    }

    fn stream(&mut self, from: usize, to: usize) {
        let Some((_, bytes)) = self.streams.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return };
        self.streams.retain(|_, stream| !stream.is_empty());
        let message = Message::decode(Bytes::from(bytes)).expect("a message of ours");
        self.touch(to, |group, now| group.broadcast(now, id(from), message));
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Message { from, to, bytes } => {
                let message = Message::decode(Bytes::from(bytes)).expect("a message of ours");
                self.touch(to, |group, now| group.message(now, id(from), message));
            }
            Note::Mark { from, to, epoch, trailer } => {
                self.touch(to, |group, _| group.on_trailer(id(from), epoch, Bytes::from(trailer)));
            }
        }
    }

    /// The next job of a disk is done, and the replica is told.
    fn sync(&mut self, index: usize) {
        let member = &mut Arc::make_mut(&mut self.members[index]).member;
        let Some((done, report)) = member.sync() else { return };
        let view = member.disk.view.ballot;
        let store = member.disk.store;
        let slots = match done {
            Done::Slots(slots) => slots,
            Done::View => member.log().cloned().collect(),
            Done::Other => Vec::new(),
        };
        let past = Arc::make_mut(&mut self.past);
        for SlotRecord { slot, digest, .. } in slots {
            let fact = Fact { view, slot, digest };
            if let Err(broken) = past.durability.durable(id(index), store, fact) {
                past.broken.get_or_insert(broken);
            }
        }
        if let Some(report) = report {
            self.touch(index, |group, now| group.report(now, report));
        }
    }

    /// What nobody waits for is done at once.
    fn idle_disks(&mut self) {
        for index in 0..MEMBERS {
            while self.members[index].member.is_idle_job() {
                self.sync(index);
            }
        }
    }

    /// What was not on the disk is gone, and a new run begins on this one.
    fn restart(&mut self, index: usize, disk: Opened) {
        let former = &self.members[index].member;
        let run = former.boot.0[0] + 1;
        for to in former.others.iter() {
            self.notes.insert(last_mark(index, to, former));
        }
        self.streams.retain(|(from, to), _| *from != index && *to != index);
        self.members[index] = Known::new(Member::start(self.now, index, run, disk));
        self.introduce();
        self.touch(index, |_, _| ());
    }

    /// Who hear each other know each other's boots.
    fn introduce(&mut self) {
        for (from, to) in self.pairs() {
            let boot = self.members[from].member.boot;
            if self.hear_each_other(from, to) && self.members[to].member.believed[from] != boot {
                let member = &mut Arc::make_mut(&mut self.members[to]).member;
                (member.believed[from], member.heard[from]) = (boot, self.now);
                member.group.boot(self.now, id(from), boot);
            }
        }
    }

    /// Time passes for all: they say how they are, and then see what to do about it.
    pub(super) fn pass(&mut self) {
        self.now += STEP;
        self.introduce();
        for (from, to) in self.pairs() {
            if self.hear_each_other(from, to) {
                Arc::make_mut(&mut self.members[to]).member.heard[from] = self.now;
            }
        }
        for _ in 0..2 {
            for index in 0..MEMBERS {
                let ears = Ears(self.members[index].member.heard);
                self.touch(index, |group, now| group.tick(now, &ears));
            }
        }
    }

    /// One input to one group, and what comes at once of it.
    fn touch(&mut self, index: usize, input: impl FnOnce(&mut Group, Time)) {
        let mut soon = Soon::new();
        self.run(index, input, &mut soon);
        while let Some((from, to, message)) = soon.pop_front() {
            if self.hear_each_other(from, to) {
                self.run(to, |group, now| group.message(now, id(from), message), &mut soon);
            }
        }
    }

    fn run(&mut self, index: usize, input: impl FnOnce(&mut Group, Time), soon: &mut Soon) {
        let now = self.now;
        input(&mut Arc::make_mut(&mut self.members[index]).member.group, now);
        loop {
            let group = &mut Arc::make_mut(&mut self.members[index]).member.group;
            group.settle(now);
            if let Some(delivery) = group.deliver() {
                self.applied(index, &delivery.record);
            } else if let Some(output) = group.poll() {
                self.carry_out(index, output, soon);
            } else {
                break;
            }
        }
        let member = &mut Arc::make_mut(&mut self.members[index]).member;
        if member.epoch != 0 {
            member.said = member.trailer(now);
        }
    }

    fn carry_out(&mut self, index: usize, output: Output, soon: &mut Soon) {
        let member = &mut Arc::make_mut(&mut self.members[index]).member;
        match output {
            Output::Enter { epoch, members } => {
                (member.epoch, member.others) = (epoch, members);
                self.streams.retain(|(from, _), _| *from != index);
            }
            Output::Leave => {
                let left: Vec<Note> = member.others.iter().map(|to| last_mark(index, to, member)).collect();
                (member.epoch, member.others) = (0, ftq_core::ids::MemberSet::EMPTY);
                self.notes.extend(left);
                self.streams.retain(|(from, _), _| *from != index);
            }
            Output::Broadcast(message) => {
                let (epoch, bytes) = (member.epoch, encoded(&message));
                for to in member.others.iter() {
                    self.streams.entry((index, place(to))).or_default().push_back((epoch, bytes.clone()));
                }
            }
            Output::Note { to, message, padded: _ } => {
                let decides = matches!(
                    message,
                    Message::Prepare(..) | Message::Promise(_) | Message::Install(_) | Message::Outbid(_)
                );
                for to in to.iter().map(place) {
                    if decides {
                        self.notes.insert(Note::Message { from: index, to, bytes: encoded(&message) });
                    } else {
                        soon.push_back((index, to, message.clone()));
                    }
                }
            }
            Output::Stream { to, message } => soon.push_back((index, place(to), message)),
            Output::Persist { id, job } => member.jobs.push_back((id, job)),
            Output::Event(event) => self.observe(index, &event),
            Output::Peers(_)
            | Output::Nudge(_)
            | Output::Hasten(_)
            | Output::Fetch { .. }
            | Output::Restore { .. }
            | Output::ReadReady(_)
            | Output::Missed(_) => {}
        }
    }

    fn observe(&mut self, index: usize, event: &Event) {
        if let Event::Installed { view, cut, .. } = event {
            let past = Arc::make_mut(&mut self.past);
            past.views += u8::from(*view > past.highest);
            past.highest = past.highest.max(*view);
            past.cut += cut;
        }
        if let Event::Stopped { why } = event {
            self.breaks(Invariant::Stopped, format!("member {} stopped: {why}", id(index)));
        }
    }

    /// A slot was applied: it is what all apply there, and a quorum has it durable in one view.
    fn applied(&mut self, index: usize, record: &SlotRecord) {
        let place = usize::try_from(record.slot.0 - 1).expect("a short log");
        let committed = self.past.durability.commit(record.slot).map(|commit| commit.digest);
        if committed != Some(record.digest) {
            let what = format!("member {} applied slot {}, committed is {committed:?}", id(index), record.slot);
            self.breaks(Invariant::DurableQuorum, what);
        }
        match self.past.applied.get(place) {
            Some(before) if *before == record.digest => {}
            Some(_) => {
                let what = format!("member {} applied another slot {}", id(index), record.slot);
                self.breaks(Invariant::SameContent, what);
            }
            None => Arc::make_mut(&mut self.past).applied.push(record.digest),
        }
    }

    /// What a member says of itself is on its disk, and its disk holds what lower views have committed.
    fn check(&mut self, index: usize) {
        let Member { group, disk, .. } = &self.members[index].member;
        let end = self.members[index].member.log().last().map_or(Slot(0), |record| record.slot);
        let view = disk.view.ballot;
        let is_honest = !group.is_active() || (view == group.view().ballot && end >= group.durable());
        let (promised, mark) = (group.promised(), group.durable());
        let keeps_promise = disk.promise >= promised;
        let lost = self.past.durability.commit(end.next()).filter(|commit| commit.view < view);
        if !is_honest {
            self.breaks(Invariant::MarkHonest, format!("member {} announces {mark}, its disk has {end}", id(index)));
        }
        if !keeps_promise {
            self.breaks(Invariant::PromiseKept, format!("member {} has not kept {promised:?}", id(index)));
        }
        if let Some(commit) = lost {
            let what = format!("member {} installed {view:?} up to {end}, without {commit:?}", id(index));
            self.breaks(Invariant::CommittedKept, what);
        }
    }

    fn breaks(&mut self, invariant: Invariant, what: String) {
        Arc::make_mut(&mut self.past).broken.get_or_insert((invariant, what));
    }

    fn hear_each_other(&self, a: usize, b: usize) -> bool {
        self.alone != Some(a) && self.alone != Some(b)
    }

    /// The next message of a stream, if both are in the epoch of it.
    fn next_of_stream(&self, from: usize, to: usize) -> Option<&[u8]> {
        let (epoch, bytes) = self.streams.get(&(from, to))?.front()?;
        (self.hear_each_other(from, to) && self.members[to].member.epoch == *epoch).then_some(bytes)
    }

    /// Whether the mark of one member would tell another something.
    fn has_news(&self, from: usize, to: usize) -> bool {
        let (sender, receiver) = (&self.members[from].member, &self.members[to].member);
        let ordering = receiver.group.ordering();
        let knows = ordering.installed.contains(id(from)) && ordering.mark_of(id(from)) >= sender.group.durable();
        self.hear_each_other(from, to) && sender.epoch != 0 && sender.epoch == receiver.epoch && !knows
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        (0..MEMBERS).flat_map(|from| (0..MEMBERS).filter(move |to| *to != from).map(move |to| (from, to)))
    }
}

/// What a member said last of the view that it leaves, on its way to another.
fn last_mark(from: usize, to: MemberId, member: &Member) -> Note {
    Note::Mark { from, to: place(to), epoch: member.epoch, trailer: member.said.clone() }
}

fn place(member: MemberId) -> usize {
    usize::from(member.number()) - 1
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w);
    w.into_vec()
}
