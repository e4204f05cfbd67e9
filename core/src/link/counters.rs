//! What link has counted since it began: refusals by reason, losses, repairs.

/// Something that link counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Refused: shorter than a header, or longer than a datagram can be.
    RefusedLength,
    /// Refused: another version of the protocol.
    RefusedVersion,
    /// Refused: another cluster.
    RefusedCluster,
    /// Refused: the header names another sender than the shell did.
    RefusedSender,
    /// Refused: it says that it comes from this member.
    RefusedMyself,
    /// Refused: not one of the peers.
    RefusedStranger,
    /// Refused: not made of frames.
    RefusedMalformed,
    /// Refused but for its challenge or proof: from a boot that is not believed.
    RefusedBoot,
    /// Refused: a proof that answers no challenge of ours.
    RefusedProof,
    /// Refused: a packet that was here before, or so old that nobody can tell.
    RefusedReplay,
    /// Refused: a cell, a head, a mark or a nack with a number that can't be.
    RefusedNumber,
    /// Refused: a stream whose cells hold no messages. Nothing more is taken from it.
    RefusedStream,
    /// Left aside: broadcast frames of another epoch, as is normal around a view change.
    OtherEpoch,
    /// Left aside: frames of a stream to another boot of this member.
    OtherBoot,
    /// Left aside: frames that only a newer version knows.
    FramesUnknown,
    /// Left aside: a cell that was here before.
    CellsAgain,
    /// Cells that came in.
    CellsReceived,
    /// Cells sent for the first time.
    CellsSent,
    /// Cells sent again because somebody asked.
    CellsResent,
    /// Packets received, whatever became of them.
    PacketsReceived,
    /// Packets made, each for one or more receivers.
    PacketsSent,
    /// Nacks sent.
    NacksSent,
    /// Nacks received.
    NacksReceived,
    /// Probes sent.
    ProbesSent,
    /// Challenges sent.
    ChallengesSent,
    /// Boots believed.
    BootsBelieved,
    /// Members reported as laggards.
    Laggards,
    /// Messages for a peer whose boot is not believed, dropped.
    StreamDropped,
}

/// All of them with the names that metrics use, in the order of the variants.
const NAMES: [(Count, &str); 28] = [
    (Count::RefusedLength, "refused_length"),
    (Count::RefusedVersion, "refused_version"),
    (Count::RefusedCluster, "refused_cluster"),
    (Count::RefusedSender, "refused_sender"),
    (Count::RefusedMyself, "refused_myself"),
    (Count::RefusedStranger, "refused_stranger"),
    (Count::RefusedMalformed, "refused_malformed"),
    (Count::RefusedBoot, "refused_boot"),
    (Count::RefusedProof, "refused_proof"),
    (Count::RefusedReplay, "refused_replay"),
    (Count::RefusedNumber, "refused_number"),
    (Count::RefusedStream, "refused_stream"),
    (Count::OtherEpoch, "other_epoch"),
    (Count::OtherBoot, "other_boot"),
    (Count::FramesUnknown, "frames_unknown"),
    (Count::CellsAgain, "cells_again"),
    (Count::CellsReceived, "cells_received"),
    (Count::CellsSent, "cells_sent"),
    (Count::CellsResent, "cells_resent"),
    (Count::PacketsReceived, "packets_received"),
    (Count::PacketsSent, "packets_sent"),
    (Count::NacksSent, "nacks_sent"),
    (Count::NacksReceived, "nacks_received"),
    (Count::ProbesSent, "probes_sent"),
    (Count::ChallengesSent, "challenges_sent"),
    (Count::BootsBelieved, "boots_believed"),
    (Count::Laggards, "laggards"),
    (Count::StreamDropped, "stream_dropped"),
];

/// How often each happened.
#[derive(Clone, Debug, Default)]
pub struct Counters([u64; NAMES.len()]);

impl Counters {
    /// One more.
    pub(super) fn add(&mut self, count: Count) {
        self.add_many(count, 1);
    }

    /// So many more.
    pub(super) fn add_many(&mut self, count: Count, n: u64) {
        self.0[count as usize] += n;
    }

    /// How often `count` happened.
    pub fn of(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// Everything that was refused, for whatever reason.
    pub fn refused(&self) -> u64 {
        self.0[..=Count::RefusedStream as usize].iter().sum()
    }

    /// All of them, with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().map(|(count, name)| (*name, self.of(*count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_stands_at_its_own_place() {
        for (place, (count, _)) in NAMES.iter().enumerate() {
            assert_eq!(*count as usize, place);
        }
    }
}
