//! Where the others are, as far as no configuration says so: whom to ask, whom to believe, and what to tell.
//!
//! ```text
//!  an address of `join`, or one that somebody told ── asked each second ──▶ answered: there ── asked each 10 s ─┐
//!                                                                             ▲   └──────────────────────────┘
//!  who asks from elsewhere ── is asked back, there ── answers ────────────────┘
//! ```
//! A question carries a nonce that hangs on the address and the time, and that nobody else can make: so an answer shows that
//! its sender is at that address now, and nothing has to be kept of who was asked. What is recorded and sent from
//! elsewhere is worth a question to there, no longer than what came.
//!
//! Always: only an answer moves an address, and none moves one that is configured. While a replica answers where it was,
//! nobody else with its id is believed elsewhere; nor before who is remembered, or told of, has had its time to answer. What
//! is told by others is only asked.

mod nonces;
mod notice;
mod page;
mod standing;
#[cfg(test)]
mod tests;

pub use notice::{Notice, Warning};

use super::introduction::{AddressNonce, INTRODUCTION_BYTES, Introduction, NOTHING, TOLD_MAX};
use super::is_same;
use crate::socket::Path;
use ftq_core::ids::{BootId, ClusterId, MemberId};
use ftq_core::link::{HEADER_BYTES, PacketName, opening_aside};
use ftq_core::time::{Span, Time};
use nonces::Nonces;
use page::{Page, Round};
use standing::Standing;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Who has answered is asked again after this: it may have come to be elsewhere.
const AGAIN: Span = Span::secs(10);

/// Who answers where it is known within this is not believed to be elsewhere.
const MOVES_AFTER: Span = Span::secs(2);

/// Members whose addresses are learned: a cluster's, and as many again that come and go.
const LEARNED_MAX: usize = TOLD_MAX;

/// Whoever waits for the first answer is told of it after this, and now and then.
const SILENT_AFTER: Span = Span::secs(10);
const SAY_AGAIN: Span = Span::secs(600);

/// Who keeps the book.
#[derive(Clone, Copy, Debug)]
pub struct Keeper {
    /// The cluster.
    pub cluster: ClusterId,
    /// This member.
    pub me: MemberId,
    /// Random, drawn for this run and for introductions alone.
    pub boot: BootId,
    /// Where others find this member, if that is not only where they hear it from.
    pub own: Option<SocketAddr>,
    /// Whether its socket is bound by IPv4.
    pub is_ipv4: bool,
}

/// Where the others are.
#[derive(Debug)]
pub struct Book {
    keeper: Keeper,
    nonces: Nonces,
    /// The number of the packet that was made last.
    number: u64,
    pages: Vec<Page>,
    joins: Vec<Join>,
    standing: Standing,
    silent_at: Time,
    doubled_at: Time,
    malformed: u64,
    out: VecDeque<Notice>,
    met: VecDeque<Notice>,
}

/// An address of `join`.
#[derive(Debug)]
struct Join {
    text: String,
    /// What it means; nothing while its name is not known.
    address: Option<SocketAddr>,
    round: Round,
}

impl Book {
    /// An empty book. `secret` is random, drawn for this run.
    pub fn new(keeper: Keeper, secret: &[u8; 32]) -> Book {
        Book {
            keeper,
            nonces: Nonces::new(secret),
            number: 0,
            pages: Vec::new(),
            joins: Vec::new(),
            standing: Standing::Settled,
            silent_at: Time::NEVER,
            doubled_at: Time(0),
            malformed: 0,
            out: VecDeque::new(),
            met: VecDeque::new(),
        }
    }

    /// The member is at this address, by the configuration: it is not asked, and nothing that is heard changes it.
    pub fn configure(&mut self, member: MemberId, address: SocketAddr) {
        self.pages.retain(|page| page.member != member);
        self.pages.push(Page::configured(member, address));
    }

    /// Another replica is to be found there, whose address is written so; what it means may follow.
    pub fn join(&mut self, now: Time, text: String, address: Option<SocketAddr>) {
        self.standing.join();
        self.silent_at = now + SILENT_AFTER;
        self.joins.push(Join { text, address, round: Round::new(now) });
    }

    /// The store here is one that the cluster knows: whoever else says to be this member is wrong.
    pub fn seat(&mut self) {
        self.standing.seat();
    }

    /// The address that is written so in `join` means this from now on.
    pub fn resolve(&mut self, now: Time, text: &str, address: SocketAddr) {
        for join in self.joins.iter_mut().filter(|join| join.text == text) {
            (join.address, join.round) = (Some(address), Round::new(now));
        }
    }

    /// The member may be there: it was in a former run, or somebody says so. It is asked.
    pub fn remember(&mut self, now: Time, member: MemberId, address: SocketAddr) {
        let Some(address) = self.reachable(address) else { return };
        if member == self.keeper.me || self.is_own(address) {
            return;
        }
        if let Some(page) = self.pages.iter_mut().find(|page| page.member == member) {
            return page.hear_of(now, address);
        }
        if self.make_room(now) {
            self.pages.push(Page::learned(now, member, address));
        }
    }

    /// Takes an introduction that was opened, with its header, from there.
    pub fn hear(&mut self, now: Time, path: Path, packet: &[u8]) {
        let Some((name, said)) = read(packet) else {
            self.malformed += 1;
            return;
        };
        let (Some(sender), false) = (MemberId::new(name.sender), name.boot == self.keeper.boot) else { return };
        let is_there = said.answers != NOTHING && self.nonces.proves(now, path.remote, &said.answers);
        if is_there {
            self.believe(now, sender, name.boot, path.remote, &said.told);
        }
        if said.asks != NOTHING {
            let asks = if is_there { NOTHING } else { self.nonces.nonce(now, path.remote) };
            self.say(now, path, asks, said.asks, Some(sender));
        }
    }

    /// Asks whom it is time to ask.
    pub fn tick(&mut self, now: Time) {
        let slowest = if self.pages.iter().any(Page::is_met) { AGAIN } else { Round::FIRST };
        let mut asked: Vec<SocketAddr> = Vec::new();
        for page in &mut self.pages {
            asked.extend(page.due(now, slowest));
            self.met.extend(page.settle(now));
        }
        for Join { address, round, .. } in &mut self.joins {
            let Some(address) = address.filter(|_| round.is_due(now, slowest)) else { continue };
            if !self.pages.iter().any(|page| is_same(page.address, address)) {
                asked.push(address);
            }
        }
        asked.extend(self.standing.due(now));
        asked.into_iter().for_each(|address| self.ask(now, address));
        if now >= self.silent_at {
            self.silent_at = now + SAY_AGAIN;
            let joins = self.joins.iter().map(|join| join.text.clone()).collect();
            self.out.push_back(Notice::Warning(Warning::Silent { joins }));
        }
    }

    /// What there is to do now.
    pub fn poll(&mut self) -> Option<Notice> {
        self.out.pop_front().or_else(|| if self.standing.is_settled() { self.met.pop_front() } else { None })
    }

    /// When to call [`Book::tick`] at the latest.
    pub fn deadline(&self) -> Time {
        let pages = self.pages.iter().map(Page::deadline);
        // Where a name means nothing yet there is nobody to ask.
        let joins = self.joins.iter().filter(|join| join.address.is_some()).map(|join| join.round.at);
        pages.chain(joins).chain([self.standing.deadline()]).fold(self.silent_at, Time::min)
    }

    /// Where to send to: who is configured, and who is known to be there.
    pub fn addresses(&self) -> impl Iterator<Item = (MemberId, SocketAddr)> + Clone + '_ {
        let known = self.pages.iter().filter(|page| page.is_configured || page.is_met());
        known.map(|page| (page.member, page.address))
    }

    /// What `join` says, as far as it is known.
    pub fn joins(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.joins.iter().filter_map(|join| join.address)
    }

    /// What was learned, and is of use in the next run.
    pub fn learned(&self) -> impl Iterator<Item = (MemberId, SocketAddr)> + '_ {
        self.pages.iter().filter(|page| !page.is_configured).map(|page| (page.member, page.address))
    }

    /// How many were opened that make no sense.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// `sender` is at `from` now, in this run of it, and has told where others are.
    fn believe(
        &mut self,
        now: Time,
        sender: MemberId,
        boot: BootId,
        from: SocketAddr,
        told: &[(MemberId, SocketAddr)],
    ) {
        self.silent_at = Time::NEVER;
        if sender == self.keeper.me {
            return self.double(now, from);
        }
        let claims = told.iter().find(|(member, _)| *member == sender).map(|(_, address)| *address);
        match claims.and_then(|claimed| self.reachable(claimed)) {
            // Somebody may have passed it on: it is asked where it says that it is, and expected nowhere else.
            Some(claimed) if !is_same(claimed, from) => {
                self.pages.retain(|page| page.member != sender || !page.is_untrue(from));
                self.remember(now, sender, claimed);
            }
            Some(_) | None => self.find(now, sender, boot, from),
        }
        for (member, address) in told.iter().filter(|(member, _)| *member != sender) {
            self.remember(now, *member, *address);
        }
        let of_me = told.iter().filter(|(member, _)| *member == self.keeper.me);
        let elsewhere =
            of_me.filter_map(|(_, address)| self.reachable(*address)).find(|address| !self.is_own(*address));
        self.standing.answered(now, elsewhere);
    }

    /// A member has answered from there.
    fn find(&mut self, now: Time, member: MemberId, boot: BootId, from: SocketAddr) {
        if !self.pages.iter().any(|page| page.member == member) && self.make_room(now) {
            self.pages.push(Page::learned(now, member, from));
        }
        let Some(page) = self.pages.iter_mut().find(|page| page.member == member) else { return };
        for told in page.answered(now, boot, from).into_iter().flatten() {
            match told {
                Notice::Met { .. } => self.met.push_back(told),
                Notice::Warning(_) | Notice::Say { .. } | Notice::Taken { .. } => self.out.push_back(told),
            }
        }
    }

    /// Somebody else is this member, there and now.
    fn double(&mut self, now: Time, address: SocketAddr) {
        let me = self.keeper.me;
        if self.standing.double() {
            self.out.push_back(Notice::Taken { me, address });
        } else if now >= self.doubled_at {
            self.doubled_at = now + SAY_AGAIN;
            self.out.push_back(Notice::Warning(Warning::Double { me, address }));
        }
    }

    /// Whether there is a place for one more; who was heard of least lately gives way, and nobody who is there.
    fn make_room(&mut self, now: Time) -> bool {
        let learned = self.pages.iter().enumerate().filter(|(_, page)| !page.is_configured);
        if learned.clone().count() < LEARNED_MAX {
            return true;
        }
        let stalest = learned.filter(|(_, page)| !page.is_there(now)).min_by_key(|(_, page)| page.seen_at());
        let stalest = stalest.map(|(place, _)| place);
        stalest.map(|place| self.pages.remove(place)).is_some()
    }

    fn ask(&mut self, now: Time, address: SocketAddr) {
        let asks = self.nonces.nonce(now, address);
        self.say(now, Path::to(address), asks, NOTHING, None);
    }

    /// Says what it is asked or asks, and where others are. Who asks is told too where somebody of its id may be besides.
    fn say(&mut self, now: Time, path: Path, asks: AddressNonce, answers: AddressNonce, asker: Option<MemberId>) {
        let Keeper { cluster, me, boot, own, .. } = self.keeper;
        self.number += 1;
        let mut packet = Vec::with_capacity(HEADER_BYTES + INTRODUCTION_BYTES);
        packet.extend_from_slice(&opening_aside(cluster, me, boot, self.number));
        let is_asker = |page: &Page| asker == Some(page.member) && !is_same(page.address, path.remote);
        let others = self.pages.iter().filter(|page| page.is_configured || page.is_there(now) || is_asker(page));
        let others = others.map(|page| (page.member, page.address));
        let told = own.map(|own| (me, own)).into_iter().chain(others).take(TOLD_MAX).collect();
        Introduction { asks, answers, told }.encode(&mut packet);
        self.out.push_back(Notice::Say { path, packet });
    }

    /// The same address as a socket of this kind sends to it, if it can.
    fn reachable(&self, address: SocketAddr) -> Option<SocketAddr> {
        let ip = match (address.ip().to_canonical(), self.keeper.is_ipv4) {
            (IpAddr::V4(ip), false) => IpAddr::V6(ip.to_ipv6_mapped()),
            (IpAddr::V6(_), true) => return None,
            (ip, _) => ip,
        };
        Some(SocketAddr::new(ip, address.port()))
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        self.keeper.own.is_some_and(|own| is_same(own, address))
    }
}

fn read(packet: &[u8]) -> Option<(PacketName, Introduction)> {
    Some((PacketName::read(packet)?, Introduction::decode(packet.get(HEADER_BYTES..)?)?))
}
