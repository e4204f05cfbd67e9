//! Whom a peer's packets are believed to come from.
//!
//! A boot is believed after it has answered a challenge, so that recorded packets of an older boot
//! are worth nothing: they cost one challenge now and then, which nobody can answer.
//!
//! ```text
//!  unknown ── packet ──▶ candidate ── proof ──▶ believed ── another boot's proof ──▶ forgotten
//!              challenge ◀──┘ (again each 20 ms, while packets come)
//! ```
//! At any time at most one boot of a peer is believed and a few are candidates. Packets of the
//! believed boot pass a sliding window over their numbers, so that each is taken once.

use super::options::{CANDIDATE_AGE, CANDIDATES_MAX, CHALLENGE_EVERY};
use super::packet::boot_tag;
use crate::chance::Chance;
use crate::ids::BootId;
use crate::time::{Span, Time};
use crate::window::ReplayWindow;
use alloc::vec::Vec;

/// Packets that are up to 8192 late are still told from copies. At 80,000 packets in a second that is
/// 100 ms of jitter.
type Window = ReplayWindow<128>;

/// The boots of one peer.
#[derive(Debug, Default)]
pub(super) struct Boots {
    believed: Option<Believed>,
    candidates: Vec<Candidate>,
}

/// The boot that has proved itself.
#[derive(Debug)]
struct Believed {
    boot: BootId,
    tag: u64,
    window: Window,
}

/// A boot that has been challenged.
#[derive(Debug)]
struct Candidate {
    boot: BootId,
    nonce: u64,
    seen_at: Time,
    asked_at: Time,
}

impl Boots {
    /// A packet of a boot that is not believed has come: the nonce of the challenge to send, if it
    /// is time for one.
    pub(super) fn meet(&mut self, now: Time, boot: BootId, chance: &mut Chance) -> Option<u64> {
        if let Some(known) = self.candidates.iter_mut().find(|c| c.boot == boot) {
            if now.since(known.asked_at) < CHALLENGE_EVERY {
                return None;
            }
            known.asked_at = now;
            return Some(known.nonce);
        }
        let fresh = Candidate { boot, nonce: chance.draw(), seen_at: now, asked_at: now };
        let nonce = fresh.nonce;
        if self.candidates.len() < CANDIDATES_MAX {
            self.candidates.push(fresh);
            return Some(nonce);
        }
        let oldest = self.candidates.iter_mut().min_by_key(|c| c.seen_at)?;
        if now.since(oldest.seen_at) <= CANDIDATE_AGE {
            return None;
        }
        *oldest = fresh;
        Some(nonce)
    }

    /// `boot` has said `nonce`, in packet `number`. If that proves it, it is believed from now on,
    /// and the answer is how long the challenge took at most. A boot that was challenged before it has run
    /// before it: only who runs answers. Its own answer may still be on the way, and counts for nothing.
    pub(super) fn prove(&mut self, now: Time, boot: BootId, nonce: u64, number: u64) -> Option<Span> {
        let at = self.candidates.iter().position(|c| c.boot == boot && c.nonce == nonce)?;
        let proved = self.candidates.swap_remove(at);
        self.candidates.retain(|candidate| candidate.seen_at > proved.seen_at);
        let mut window = Window::default();
        window.take(number);
        self.believed = Some(Believed { boot, tag: boot_tag(boot), window });
        Some(now.since(proved.asked_at))
    }

    /// Whether packet `number` of the believed boot comes for the first time; from now on it has.
    pub(super) fn take(&mut self, number: u64) -> bool {
        self.believed.as_mut().is_some_and(|b| b.window.take(number))
    }

    /// The believed boot.
    pub(super) fn believed(&self) -> Option<BootId> {
        self.believed.as_ref().map(|b| b.boot)
    }

    /// The tag of the believed boot.
    pub(super) fn tag(&self) -> Option<u64> {
        self.believed.as_ref().map(|b| b.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId([1; 16]);

    fn at(ms: u64) -> Time {
        Time(ms * 1_000)
    }

    #[test]
    fn only_the_right_answer_of_the_right_boot_is_believed() {
        let (mut boots, mut chance) = (Boots::default(), Chance::new(1));
        let nonce = boots.meet(at(0), BOOT, &mut chance).unwrap();
        assert_eq!(boots.prove(at(1), BOOT, nonce ^ 1, 1), None);
        assert_eq!(boots.prove(at(1), BootId([2; 16]), nonce, 1), None);
        assert_eq!(boots.believed(), None);
        assert_eq!(boots.prove(at(2), BOOT, nonce, 1), Some(Span::millis(2)));
        assert_eq!(boots.believed(), Some(BOOT));
        assert_eq!(boots.prove(at(3), BOOT, nonce, 2), None, "a proof counts once");
    }

    /// Two restarts in a row, and the answer of the first run overtaken by that of the second.
    #[test]
    fn the_late_proof_of_a_former_boot_is_not_believed() {
        let (mut boots, mut chance) = (Boots::default(), Chance::new(1));
        let (former, next) = (BootId([2; 16]), BootId([3; 16]));
        let late = boots.meet(at(0), former, &mut chance).unwrap();
        let nonce = boots.meet(at(3), BOOT, &mut chance).unwrap();
        let newest = boots.meet(at(4), next, &mut chance).unwrap();
        assert!(boots.prove(at(5), BOOT, nonce, 1).is_some());
        assert_eq!(boots.prove(at(6), former, late, 1), None);
        assert_eq!(boots.believed(), Some(BOOT));
        assert!(boots.prove(at(7), next, newest, 1).is_some(), "who was met later may be the one that runs now");
    }

    #[test]
    fn challenges_are_few_whatever_is_replayed() {
        let (mut boots, mut chance) = (Boots::default(), Chance::new(1));
        let sent = (0..100_000u64).filter(|n| {
            let boot = BootId([u8::try_from(n % 200).unwrap(); 16]);
            boots.meet(Time(n * 10), boot, &mut chance).is_some()
        });
        // One second: four candidates at once, fifty challenges each, and the new ones' first.
        assert!(sent.count() <= 4 * (50 + 10));
    }

    #[test]
    fn a_real_boot_gets_its_turn_among_recorded_ones() {
        let (mut boots, mut chance) = (Boots::default(), Chance::new(1));
        for n in 10..14 {
            assert!(boots.meet(at(0), BootId([n; 16]), &mut chance).is_some());
        }
        assert!(boots.meet(at(50), BOOT, &mut chance).is_none());
        assert!(boots.meet(at(101), BOOT, &mut chance).is_some());
    }
}
