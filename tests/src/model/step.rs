//! What a step of the model does: one input to the real group, and what it wants done.

use super::member::{Done, Ears, Member};
use super::{Action, Known, MEMBERS, Note, STEP, State, id};
use bytes::Bytes;
use ftq_core::group::message::Message;
use ftq_core::group::own::Token;
use ftq_core::group::{Group, Output};
use ftq_core::ids::MemberId;
use ftq_core::store::{Opened, SlotRecord};
use ftq_core::time::Time;
use ftq_core::wire::Writer;
use std::collections::VecDeque;
use std::sync::Arc;

/// Messages that come at once.
type Soon = VecDeque<(usize, usize, Message)>;

impl State {
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
                Arc::make_mut(&mut self.past).disks_lost += 1;
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
        self.check_disks();
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
        let slots: Vec<SlotRecord> = match done {
            Done::Slots(slots) => slots,
            Done::View => member.log().cloned().collect(),
            Done::Other => Vec::new(),
        };
        self.durable(index, view, store, &slots);
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
    fn pass(&mut self) {
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
}

/// What a member said last of the view that it leaves, on its way to another.
fn last_mark(from: usize, to: MemberId, member: &Member) -> Note {
    Note::Mark { from, to: place(to), epoch: member.epoch, trailer: member.said.clone() }
}

pub(super) fn place(member: MemberId) -> usize {
    usize::from(member.number()) - 1
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut w = Writer::new();
    message.encode(&mut w);
    w.into_vec()
}
