//! What clients were told, all together, and whether a queue keeps its promises by it.
//!
//! Each item is pushed once, by one client, under a name of its own. What was acknowledged has to come
//! out, once; what nobody was told about may come out, once at most.

use super::notes::Note;
use std::collections::{BTreeMap, BTreeSet};

/// So many of what was lost are named: enough to look for them in the logs.
const NAMED_MAX: usize = 10;

/// What the clients were told.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Pushes that were acknowledged.
    pub pushed: BTreeSet<String>,
    /// Pushes of which nobody knows.
    pub perhaps_pushed: BTreeSet<String>,
    /// What came out, and how often.
    pub popped: BTreeMap<String, u32>,
    /// Pops of which nobody knows: each may have taken an item.
    pub perhaps_popped: usize,
    /// Numbers drawn.
    pub ids: Vec<u64>,
    /// Draws of which nobody knows: each may have taken a number.
    pub perhaps_drawn: usize,
    /// What was refused: nothing of it was done.
    pub refused: usize,
}

impl Ledger {
    /// What one client has written down; of what it was still waiting for nobody knows.
    pub(super) fn of(notes: impl IntoIterator<Item = Note>) -> Result<Ledger, String> {
        let mut ledger = Ledger::default();
        let mut asked: Option<Note> = None;
        for note in notes {
            match (asked.take(), note) {
                (None, note @ (Note::Pushes(_) | Note::Pops | Note::Draws)) => asked = Some(note),
                (Some(asked), told) => ledger.enter(asked, told)?,
                (None, told) => return Err(format!("\"{told}\", and nothing was asked for")),
            }
        }
        if let Some(asked) = asked {
            ledger.enter(asked, Note::Unknown)?;
        }
        Ok(ledger)
    }

    fn enter(&mut self, asked: Note, told: Note) -> Result<(), String> {
        match (asked, told) {
            (Note::Pushes(item), Note::Pushed) => drop(self.pushed.insert(item)),
            (Note::Pushes(item), Note::Unknown) => drop(self.perhaps_pushed.insert(item)),
            (Note::Pops, Note::Popped(item)) => *self.popped.entry(item).or_default() += 1,
            (Note::Pops, Note::Nothing) => {}
            (Note::Pops, Note::Unknown) => self.perhaps_popped += 1,
            (Note::Draws, Note::Drawn(number)) => self.ids.push(number),
            (Note::Draws, Note::Unknown) => self.perhaps_drawn += 1,
            (_, Note::Refused) => self.refused += 1,
            (asked, told) => return Err(format!("\"{told}\" is no answer to \"{asked}\"")),
        }
        Ok(())
    }

    /// Takes another client's over.
    pub fn add(&mut self, other: Ledger) {
        self.pushed.extend(other.pushed);
        self.perhaps_pushed.extend(other.perhaps_pushed);
        for (item, times) in other.popped {
            *self.popped.entry(item).or_default() += times;
        }
        self.perhaps_popped += other.perhaps_popped;
        self.ids.extend(other.ids);
        self.perhaps_drawn += other.perhaps_drawn;
        self.refused += other.refused;
    }

    /// Holds it against what a queue promises, once the queue is empty.
    pub fn check(&mut self) -> Result<(), String> {
        if let Some((item, times)) = self.popped.iter().find(|(_, times)| **times > 1) {
            return Err(format!("done twice: {item} came out {times} times"));
        }
        let strange = |item: &&String| !self.pushed.contains(*item) && !self.perhaps_pushed.contains(*item);
        if let Some(item) = self.popped.keys().find(strange) {
            return Err(format!("{item} came out, and was never pushed"));
        }
        let lost: Vec<&String> = self.pushed.iter().filter(|item| !self.popped.contains_key(*item)).collect();
        if lost.len() > self.perhaps_popped {
            return Err(format!(
                "lost: {} items were acknowledged and never came out, {} pops ended unknown: {:?} …",
                lost.len(),
                self.perhaps_popped,
                lost.iter().take(NAMED_MAX).collect::<Vec<_>>()
            ));
        }
        self.ids.sort_unstable();
        if let Some(twice) = self.ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("done twice: number {} was drawn twice", twice[0]));
        }
        let gaps = self.ids.last().map_or(0, |last| last - self.ids.len() as u64);
        if gaps > self.perhaps_drawn as u64 {
            return Err(format!("lost: {gaps} numbers are missing, {} draws ended unknown", self.perhaps_drawn));
        }
        Ok(())
    }

    /// Whether each call has ended as if nothing had gone wrong.
    pub fn is_untroubled(&self) -> bool {
        self.perhaps_pushed.is_empty() && self.perhaps_popped + self.perhaps_drawn + self.refused == 0
    }

    /// How much was done, in a line.
    pub fn summary(&self) -> String {
        format!(
            "{} pushed, {} popped, {} numbers drawn; {} unknown, {} refused",
            self.pushed.len(),
            self.popped.len(),
            self.ids.len(),
            self.perhaps_pushed.len() + self.perhaps_popped + self.perhaps_drawn,
            self.refused
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let notes =
            "pushes a,pushed,draws,drawn 2,pushes b,pushed,pops,popped a,draws,drawn 1,pops,popped b,pops,nothing";
        Ledger::of(notes.split(',').map(|line| line.parse().expect("a note"))).expect("notes")
    }

    #[test]
    fn a_ledger_that_is_right_passes() {
        assert_eq!(ledger().check(), Ok(()));
    }

    #[test]
    fn each_broken_promise_is_found() {
        let mut lost = ledger();
        lost.popped.remove("a");
        let mut twice = ledger();
        twice.popped.insert("a".to_owned(), 2);
        let mut strange = ledger();
        strange.popped.insert("c".to_owned(), 1);
        let mut drawn_twice = ledger();
        drawn_twice.ids.push(2);
        let mut gap = ledger();
        gap.ids.push(4);
        for broken in [&mut lost, &mut twice, &mut strange, &mut drawn_twice, &mut gap] {
            assert!(broken.check().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn what_ended_unknown_excuses_as_much_and_no_more() {
        let mut lost = ledger();
        lost.popped.remove("a");
        lost.perhaps_popped = 1;
        assert_eq!(lost.check(), Ok(()));
        lost.popped.remove("b");
        assert!(lost.check().is_err());
    }

    #[test]
    fn nobody_knows_of_what_a_killed_client_was_waiting_for() {
        let ledger = Ledger::of([Note::Pushes("a".to_owned()), Note::Pushed, Note::Pops]).expect("notes");
        assert_eq!((ledger.pushed.len(), ledger.perhaps_popped), (1, 1));
        assert!(Ledger::of([Note::Pushed]).is_err(), "nothing was asked for");
        assert!(Ledger::of([Note::Pops, Note::Pushed]).is_err(), "that is no answer");
        assert!(Ledger::of([Note::Pops, Note::Pops]).is_err(), "that is no answer");
    }
}
