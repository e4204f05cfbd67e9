//! What is known of one member's address.

use super::{AGAIN, MOVES_AFTER, Notice, SAY_AGAIN, Warning};
use crate::peer::is_same;
use ftq_core::ids::{BootId, MemberId};
use ftq_core::time::{Span, Time};
use std::net::SocketAddr;

/// Who has not answered for so long is not there any more: two questions were lost.
const GONE_AFTER: Span = Span::secs(25);

/// One member.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) member: MemberId,
    pub(super) address: SocketAddr,
    pub(super) is_configured: bool,
    /// When it has answered last in this run, and in which run of it.
    answered: Option<(Time, BootId)>,
    round: Round,
    /// Where else it is said to be; asked until it answers here.
    rumour: Option<SocketAddr>,
    rival: Option<Rival>,
    /// When a rival may be spoken of again.
    warn_at: Time,
}

/// Somebody with the same id, who answers elsewhere, while the one that is known may be where it was.
#[derive(Clone, Copy, Debug)]
struct Rival {
    address: SocketAddr,
    boot: BootId,
    until: Time,
}

/// When to ask next: less and less often while there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub(super) at: Time,
    pause: Span,
}

impl Page {
    /// By the configuration.
    pub(super) fn configured(member: MemberId, address: SocketAddr) -> Page {
        Page {
            is_configured: true,
            round: Round { at: Time::NEVER, pause: AGAIN },
            ..Page::learned(Time(0), member, address)
        }
    }

    /// It may be there.
    pub(super) fn learned(now: Time, member: MemberId, address: SocketAddr) -> Page {
        Page {
            member,
            address,
            is_configured: false,
            answered: None,
            round: Round::new(now),
            rumour: None,
            rival: None,
            warn_at: Time(0),
        }
    }

    /// Somebody says that it is there.
    pub(super) fn hear_of(&mut self, now: Time, address: SocketAddr) {
        if self.is_configured || self.is_there(now) || is_same(self.address, address) {
            return;
        }
        if self.rumour.is_none_or(|rumour| !is_same(rumour, address)) {
            (self.rumour, self.round) = (Some(address), Round::new(now));
        }
    }

    /// It has answered from there: what that means, if anything.
    pub(super) fn answered(&mut self, now: Time, boot: BootId, from: SocketAddr) -> [Option<Notice>; 2] {
        if self.is_configured {
            // Its address is not learned, but who has nobody configured to greet may greet it.
            return [Some(Notice::Met { member: self.member, is_new: false }), None];
        }
        if is_same(self.address, from) {
            let met = Notice::Met { member: self.member, is_new: !self.is_met() };
            let rival = self.rival.take().filter(|rival| rival.boot != boot);
            self.take(now, boot, from);
            return [Some(met), rival.and_then(|rival| self.warn(now, rival))];
        }
        if self.is_expected(now) {
            // The same run, by another way: it stays where it is known. Perhaps another run: it is asked where it is known first.
            if self.rival.is_none() && self.answered.is_none_or(|(_, known)| known != boot) {
                self.rival = Some(Rival { address: from, boot, until: now + MOVES_AFTER });
                self.round = Round::new(now);
            }
            return [None, None];
        }
        self.take(now, boot, from);
        [Some(Notice::Met { member: self.member, is_new: true }), None]
    }

    /// Who is known with its id has not answered in time: it is where it was heard last.
    pub(super) fn settle(&mut self, now: Time) -> Option<Notice> {
        let Rival { address, boot, .. } = self.rival.take_if(|rival| now >= rival.until)?;
        self.take(now, boot, address);
        Some(Notice::Met { member: self.member, is_new: true })
    }

    /// Where to ask for it now.
    pub(super) fn due(&mut self, now: Time, slowest: Span) -> impl Iterator<Item = SocketAddr> + use<> {
        let due = self.round.is_due(now, slowest);
        [Some(self.address), self.rumour].into_iter().flatten().filter(move |_| due)
    }

    pub(super) fn deadline(&self) -> Time {
        self.rival.map_or(self.round.at, |rival| rival.until.min(self.round.at))
    }

    /// Whether it has answered in this run.
    pub(super) fn is_met(&self) -> bool {
        self.answered.is_some()
    }

    /// Whether it has answered lately.
    pub(super) fn is_there(&self, now: Time) -> bool {
        self.answered.is_some_and(|(at, _)| now.since(at) < GONE_AFTER)
    }

    /// Whether somebody else with its id has to wait until it was asked here: it has answered lately, or not been heard at
    /// all in this run, which may just have begun.
    fn is_expected(&self, now: Time) -> bool {
        !self.is_met() || self.is_there(now)
    }

    /// Whether it is only remembered to be there, where an answer has come from that says where it really is.
    pub(super) fn is_untrue(&self, from: SocketAddr) -> bool {
        !self.is_configured && !self.is_met() && is_same(self.address, from)
    }

    /// When it has answered last; never, perhaps.
    pub(super) fn seen_at(&self) -> Time {
        self.answered.map_or(Time(0), |(at, _)| at)
    }

    /// It stays where it is, and another run has its id elsewhere.
    fn warn(&mut self, now: Time, rival: Rival) -> Option<Notice> {
        if now < self.warn_at {
            return None;
        }
        self.warn_at = now + SAY_AGAIN;
        let Page { member, address: stays, .. } = *self;
        Some(Notice::Warning(Warning::Rival { member, stays, other: rival.address }))
    }

    fn take(&mut self, now: Time, boot: BootId, address: SocketAddr) {
        self.address = address;
        self.rival = None;
        self.answered = Some((now, boot));
        self.rumour = None;
        self.round = Round { at: now + AGAIN, pause: AGAIN };
    }
}

impl Round {
    /// The first pause.
    pub(super) const FIRST: Span = Span::secs(1);

    /// At once, and again soon.
    pub(super) fn new(now: Time) -> Round {
        Round { at: now, pause: Round::FIRST }
    }

    /// Whether it is time; then the next time is after a pause that doubles, up to the slowest.
    pub(super) fn is_due(&mut self, now: Time, slowest: Span) -> bool {
        if now < self.at {
            return false;
        }
        self.pause = self.pause.min(slowest);
        self.at = now + self.pause;
        self.pause = self.pause.times(2).min(slowest);
        true
    }
}
