//! What may happen next.

use super::{Action, MEMBERS, Note, State, id};
use bytes::Bytes;
use ftq_core::group::message::Message;

impl Action {
    /// Whether something that was sent comes, or something that was handed to a disk is durable.
    pub(super) fn is_on_the_way(&self) -> bool {
        match self {
            Action::Stream(..) | Action::Note(_) | Action::Mark(..) | Action::Sync(_) => true,
            Action::Submit(_)
            | Action::Again(_)
            | Action::PowerCut(_)
            | Action::NewDisk(_)
            | Action::CutOff(_)
            | Action::Mend
            | Action::Pass => false,
        }
    }
}

impl Note {
    /// Whether it is the outcome of a ballot.
    pub(super) fn is_install(&self) -> bool {
        match self {
            Note::Message { bytes, .. } => {
                matches!(Message::decode(Bytes::from(bytes.clone())), Ok(Message::Install(_)))
            }
            Note::Mark { .. } => false,
        }
    }
}

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

    pub(super) fn hear_each_other(&self, a: usize, b: usize) -> bool {
        self.alone != Some(a) && self.alone != Some(b)
    }

    /// The next message of a stream, if both are in the epoch of it.
    pub(super) fn next_of_stream(&self, from: usize, to: usize) -> Option<&[u8]> {
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

    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        (0..MEMBERS).flat_map(|from| (0..MEMBERS).filter(move |to| *to != from).map(move |to| (from, to)))
    }
}
