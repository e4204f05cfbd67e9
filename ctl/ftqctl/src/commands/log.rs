//! What the delivered log holds: the newest requests, or those from a slot on, and what comes.
//!
//! It is shown as it is read, a line for each request, so that any part of any log can be looked at.

mod entry;

use super::Asked;
use super::cluster::pause;
use crate::arguments::Log;
use crate::failure::Failure;
use crate::shown;
use entry::Entry;
use ftq_client::{LogPage, Place, QueueId, SessionId};
use std::collections::VecDeque;
use std::time::Duration;

/// How many are shown unless something else is said.
const NEWEST: usize = 20;

/// To find the newest ones the log is read backwards, in parts of more and more slots up to this.
const PART_MAX: u64 = 4_096;

/// How often it is looked whether anything has come.
const FOLLOWED_EVERY: Duration = Duration::from_millis(100);

pub(super) fn print(asked: &Asked, it: &Log) -> Result<(), Failure> {
    let queue = it.queue.as_ref().map(|name| asked.queue(name)).transpose()?;
    let reader = Reader { asked, queue, session: it.session.map(SessionId) };
    // Whoever may not see it is told so before anything is shown.
    let applied = reader.page(Place { slot: u64::MAX, position: 0 })?.applied.0;
    asked.out.log_begins(entry::HEAD)?;
    let mut next = match it.from {
        Some(slot) => reader.first(Place { slot: slot.max(1), position: 0 }, it.count.unwrap_or(usize::MAX))?,
        None => reader.newest(applied, it.count.unwrap_or(NEWEST))?,
    };
    if !it.follow {
        return Ok(());
    }
    loop {
        let page = reader.page(next)?;
        tell_of_gap(&page, next);
        for entry in reader.chosen(&page) {
            entry.print(asked.out)?;
        }
        if page.slots.is_empty() {
            pause(FOLLOWED_EVERY);
        }
        next = page.next;
    }
}

/// Reads the log of a cluster, and chooses what is to be shown.
struct Reader<'a> {
    asked: &'a Asked,
    queue: Option<QueueId>,
    session: Option<SessionId>,
}

impl Reader<'_> {
    /// Shows the first ones from this place on; where it goes on behind them.
    fn first(&self, from: Place, count: usize) -> Result<Place, Failure> {
        let (mut next, mut left) = (from, count);
        while left > 0 {
            let page = self.page(next)?;
            tell_of_gap(&page, next);
            for entry in self.chosen(&page).take(left) {
                entry.print(self.asked.out)?;
                left -= 1;
            }
            next = page.next;
            if page.slots.is_empty() || next.slot > page.applied.0 {
                break;
            }
        }
        Ok(next)
    }

    /// Shows the newest ones; where it goes on behind them.
    fn newest(&self, applied: u64, count: usize) -> Result<Place, Failure> {
        let end = Place { slot: applied + 1, position: 0 };
        let mut found = Newest { count, pages: VecDeque::new(), entries: 0 };
        let (mut start, mut part) = (end.slot, 1);
        while found.entries < count && start > 1 {
            let to = start;
            start = to.saturating_sub(part).max(1);
            part = (part * 4).min(PART_MAX);
            let mut of_part = Newest { count, pages: VecDeque::new(), entries: 0 };
            let (mut next, mut is_oldest) = (Place { slot: start, position: 0 }, false);
            while next.slot < to {
                let mut page = self.page(next)?;
                is_oldest |= page.slots.first().is_none_or(|slot| slot.slot.0 > next.slot);
                if page.next <= next {
                    // Another server answers, and is not as far.
                    break;
                }
                next = page.next;
                page.slots.retain(|slot| slot.slot.0 < to);
                let entries = self.chosen(&page).count();
                of_part.push(page, entries);
            }
            found.precede(of_part);
            if is_oldest {
                break;
            }
        }
        let skipped = found.entries.saturating_sub(count);
        for entry in found.pages.iter().flat_map(|(page, _)| self.chosen(page)).skip(skipped) {
            entry.print(self.asked.out)?;
        }
        Ok(end)
    }

    fn page(&self, from: Place) -> Result<LogPage, Failure> {
        self.asked.client.log_page(from).map_err(|error| Failure::of("log", error))
    }

    /// What of a page is to be shown.
    fn chosen<'p>(&self, page: &'p LogPage) -> impl Iterator<Item = Entry<'p>> {
        let (queue, session) = (self.queue, self.session);
        let is_meant = move |entry: &Entry<'_>| {
            queue.is_none_or(|queue| entry.is_about(queue)) && session.is_none_or(|session| entry.is_of(session))
        };
        page.slots.iter().flat_map(Entry::of_slot).filter(is_meant)
    }
}

/// What was asked for is not there: who reads on would not see that something is missing.
fn tell_of_gap(page: &LogPage, from: Place) {
    if let Some(slot) = page.slots.first().filter(|slot| slot.slot.0 > from.slot) {
        shown::remark(&format!("slots below {} are not kept any more", slot.slot));
    }
}

/// The last pages of the log in which enough entries are, and how many each has.
struct Newest {
    count: usize,
    pages: VecDeque<(LogPage, usize)>,
    entries: usize,
}

impl Newest {
    /// A later page. Those go that lie too far before the end by now.
    fn push(&mut self, page: LogPage, entries: usize) {
        if entries == 0 {
            return;
        }
        self.pages.push_back((page, entries));
        self.entries += entries;
        while let Some((_, first)) = self.pages.front().filter(|(_, first)| self.entries - first >= self.count) {
            self.entries -= first;
            self.pages.pop_front();
        }
    }

    /// What stands before it.
    fn precede(&mut self, mut before: Newest) {
        before.pages.append(&mut self.pages);
        self.pages = before.pages;
        self.entries += before.entries;
    }
}
