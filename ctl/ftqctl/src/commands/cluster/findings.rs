//! What a look around has found: what is not as it should be, since when where that is known, and what to do.

use super::look::Look;
use crate::shown;
use ftq_client::{Error, MemberSet, State, Status};
use serde_json::{Value, json};

/// A disk that has not finished a job for so long is in trouble.
const DISK_MS: u64 = 1_000;

/// A replica that is so many slots behind lags; below it is at work.
const BEHIND: u64 = 10_000;

/// How the cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Well,
    /// It works, and could lose less than it should.
    Degraded,
    /// There is no quorum, or nobody could be asked.
    Down,
}

/// All that was found, the worst first.
#[derive(Debug)]
pub(super) struct Findings {
    found: Vec<Finding>,
    /// How many members it can lose, whichever they are, if anybody could be asked.
    pub(super) margin: Option<usize>,
}

#[derive(Debug)]
struct Finding {
    health: Health,
    what: String,
    remedy: &'static str,
}

impl Health {
    pub(super) fn word(self) -> &'static str {
        match self {
            Health::Well => "well",
            Health::Degraded => "degraded",
            Health::Down => "down",
        }
    }
}

impl Findings {
    /// What is to be said of this look; `no_quorum` is why the cluster did not answer as a whole.
    pub(super) fn of(look: &Look, no_quorum: Option<&Error>) -> Findings {
        let mut findings = Findings { found: Vec::new(), margin: None };
        if let Some(error) = no_quorum {
            let remedy = "start the members that are missing; `ftqctl members` says who is not heard, and since when";
            findings.add(Health::Down, format!("the cluster does not answer as a whole: {error}"), remedy);
        }
        for seen in &look.servers {
            match &seen.status {
                Ok(status) => findings.of_replica(status),
                Err(Error::NotAllowed) => {
                    findings.add(
                        Health::Degraded,
                        format!("{} does not allow to be asked", seen.server),
                        "use a key with a role",
                    );
                }
                Err(_) => findings.add(
                    Health::Degraded,
                    format!("{} does not answer", seen.server),
                    "look at its log there; is its address right, and does this key stand in its key file?",
                ),
            }
        }
        if let Some(best) = look.best() {
            findings.of_cluster(best);
        }
        findings.found.sort_by_key(|finding| std::cmp::Reverse(finding.health));
        findings
    }

    /// The worst of it.
    pub(super) fn health(&self) -> Health {
        self.found.iter().map(|finding| finding.health).max().unwrap_or(Health::Well)
    }

    /// A line for each.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.found.iter().map(|Finding { health, what, remedy }| format!("{}: {what}: {remedy}", health.word()))
    }

    pub(super) fn json(&self) -> Value {
        let of = |Finding { health, what, remedy }: &Finding| json!({ "health": health.word(), "what": what, "remedy": remedy });
        json!(self.found.iter().map(of).collect::<Vec<_>>())
    }

    fn of_replica(&mut self, it: &Status) {
        let me = it.me;
        match it.state {
            State::Serves => {}
            State::Waits => {
                let what =
                    format!("member {me} takes part in no view that orders; it hears {}", shown::members(it.heard));
                self.add(
                    Health::Degraded,
                    what,
                    "it goes on by itself once it hears enough; look at its network, and at its log",
                );
            }
            State::Learns => {
                let what = format!("member {me} is a learner: it receives the log and does not vote");
                let remedy = "the others admit it once it has caught up; one that is new needs `ftqctl member add`";
                self.add(Health::Degraded, what, remedy);
            }
            State::Rebuilds => {
                let what = format!("member {me} has lost what was applied, and rebuilds it from the others");
                self.add(Health::Degraded, what, "leave it alone, and the others up, until it serves");
            }
        }
        if it.disk_ms >= DISK_MS {
            let what = format!("the disk of member {me} has not finished a job for {} ms", it.disk_ms);
            self.add(Health::Degraded, what, "look at the disk and at the kernel's log there");
        }
    }

    fn of_cluster(&mut self, best: &Status) {
        let there = best.heard.intersection(best.members).intersection(best.voters);
        self.margin = Some(margin(there, best.voters));
        let missing: MemberSet = best.voters.iter().filter(|member| !there.contains(*member)).collect();
        for member in missing.iter() {
            let silent = best.peers.iter().find(|peer| peer.member == member).and_then(|peer| peer.silent_ms);
            let since = match (best.heard.contains(member), silent) {
                (true, _) => "is heard and takes no part in the view".to_owned(),
                (false, Some(ms)) => format!("is not heard by member {} for {} s", best.me, ms / 1_000),
                (false, None) => format!("was never heard by member {}", best.me),
            };
            self.add(
                Health::Degraded,
                format!("member {member} {since}"),
                "see whether it runs, and what its log says",
            );
        }
        for peer in best.peers.iter().filter(|peer| there.contains(peer.member)) {
            let behind = best.committed.0.saturating_sub(peer.end.0);
            if behind > BEHIND || peer.lags_ms.is_some() {
                let since = peer.lags_ms.map_or(String::new(), |ms| format!(", and has lagged for {} s", ms / 1_000));
                let what = format!("member {} is {behind} slots behind{since}", peer.member);
                self.add(Health::Degraded, what, "its network or its disk is slower than the others'");
            }
        }
        for member in best.nearly_full.iter() {
            let what = format!("the disk of member {member} is nearly full, and it takes no pushes");
            self.add(Health::Degraded, what, "make room there, or pop");
        }
        if best.voters.len() == 2 {
            let what = "with two members only the higher one can go on alone".to_owned();
            self.add(Health::Degraded, what, "add a third with `ftqctl member add`");
        }
    }

    fn add(&mut self, health: Health, what: String, remedy: &'static str) {
        self.found.push(Finding { health, what, remedy });
    }
}

/// How many more may go, whichever they are, so that those who are left are a majority.
fn margin(there: MemberSet, voters: MemberSet) -> usize {
    there.len().saturating_sub(voters.len() / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::super::look::Seen;
    use super::*;
    use ftq_client::{MemberId, Peer};

    /// How member 1 of three sees the others, of whom 3 is so many slots behind, and lags for so long. The disks of some are
    /// nearly full.
    fn seen(behind: u64, lags_ms: Option<u64>, full: &[u8]) -> Vec<String> {
        let member = |n| MemberId::new(n).expect("a member");
        let all: MemberSet = [1, 2, 3].into_iter().map(member).collect();
        let peer = |n, end, lags_ms| {
            let member = member(n);
            let end = ftq_client::Slot(end);
            Peer { member, silent_ms: Some(5), view: 1, end, committed: end, whole: true, disk_ms: 0, lags_ms }
        };
        let end = ftq_client::Slot(50_000);
        let status = Status {
            me: member(1),
            state: State::Serves,
            view: (1, Some(member(1))),
            members: all,
            ring: all,
            configuration: 1,
            voters: all,
            heard: all,
            end,
            committed: end,
            applied: end,
            disk_ms: 0,
            digest: ftq_client::Digest(1),
            nearly_full: full.iter().map(|n| member(*n)).collect(),
            peers: vec![peer(2, 50_000, None), peer(3, 50_000 - behind, lags_ms)],
        };
        let server = "127.0.0.1:7410".parse().expect("an address");
        Findings::of(&Look { servers: vec![Seen { server, status: Ok(status) }] }, None).lines().collect()
    }

    #[test]
    fn who_lags_is_named_with_since_when() {
        let remedy = "its network or its disk is slower than the others'";
        assert!(seen(500, None, &[]).is_empty());
        assert_eq!(
            seen(500, Some(70_500), &[]),
            [format!("degraded: member 3 is 500 slots behind, and has lagged for 70 s: {remedy}")]
        );
        assert_eq!(seen(20_000, None, &[]), [format!("degraded: member 3 is 20000 slots behind: {remedy}")]);
    }

    #[test]
    fn whose_disk_is_nearly_full_is_named() {
        let said = "degraded: the disk of member 2 is nearly full, and it takes no pushes: make room there, or pop";
        assert_eq!(seen(0, None, &[2]), [said]);
    }

    #[test]
    fn the_margin_is_what_a_majority_can_spare() {
        let first = |n: u32| MemberSet::from_bits((1 << (n + 1)) - 2);
        for (there, voters, expected) in
            [(1, 1, 0), (2, 2, 0), (3, 3, 1), (2, 3, 0), (4, 4, 1), (5, 5, 2), (3, 5, 0), (1, 3, 0)]
        {
            assert_eq!(margin(first(there), first(voters)), expected, "{there} of {voters}");
        }
    }
}
