//! What a link is told once, and every bound and span that it works with, each with its reason.

use super::packet::{SPOKEN, Versions};
use crate::ids::{BootId, ClusterId, MemberId};
use crate::time::Span;

/// The datagram that passes every ordinary path: an Ethernet frame less IP, UDP and the seal.
pub const DATAGRAM_MAX: usize = 1_400;
/// Below this the frames of one packet would not fit together.
pub const DATAGRAM_MIN: usize = 1_024;
/// No UDP datagram is longer. A peer may be set to larger datagrams than we are.
pub(super) const DATAGRAM_LIMIT: usize = 65_507;
/// The longest trailer: a ballot and a mark, with room.
pub const TRAILER_MAX: usize = 64;
/// The longest message of a stream: a client's largest request twice over.
pub const MESSAGE_MAX: usize = 16 << 20;

/// What may be kept for members that lack it. A receiver keeps no more out of order, either.
pub const RING_BYTES: usize = 16 << 20;
/// What of it bodies may fill; the rest is for sequences and for what group says (RULES L7).
pub const WINDOW_BYTES: usize = 4 << 20;
/// What one peer may lack of its own stream: at 1 ms there and back it passes 256 MB in a second.
pub const STREAM_WINDOW_BYTES: usize = 256 << 10;
/// What keeping a cell costs beside its bytes. It bounds the cells of a full ring.
pub(super) const CELL_COST: usize = 256;
/// How far ahead of the first missing cell a receiver keeps cells: as many as a full ring holds.
pub(super) const CELLS_AHEAD_MAX: u64 = (RING_BYTES / CELL_COST) as u64;

/// A stranger's boots that are challenged at once: the real one, and a few that were recorded.
pub(super) const CANDIDATES_MAX: usize = 4;
/// A candidate that has not answered for this long makes room for another.
pub(super) const CANDIDATE_AGE: Span = Span::millis(100);
/// The same boot is challenged again no sooner.
pub(super) const CHALLENGE_EVERY: Span = Span::millis(20);
/// A peer without a believed boot is greeted this often, so that two silent replicas meet.
pub(super) const HELLO_EVERY: Span = Span::millis(50);
/// By so much each greeting is put off at random, so that replicas don't march in step.
pub(super) const HELLO_JITTER: Span = Span::millis(10);

/// Missing ranges in one nack.
pub(super) const RANGES_MAX: usize = 16;
/// Cells that one nack can ask for: a burst that a socket's buffer takes.
pub(super) const RESEND_MAX: usize = 64;
/// What came out of order is not missing yet: a gap is asked for after a quarter of the round trip …
pub(super) const REORDER_MIN: Span = Span::millis(1);
/// … but no later than this.
pub(super) const REORDER_MAX: Span = Span::millis(20);
/// A gap is asked for again after two round trips, and at the least after this …
pub(super) const NACK_AGAIN_MIN: Span = Span::millis(10);
/// … twice as late each time, up to this.
pub(super) const NACK_AGAIN_MAX: Span = Span::millis(100);
/// A cell goes to the same peer again after half a round trip, and at the least after this.
pub(super) const RESEND_QUIET_MIN: Span = Span::millis(2);
/// A round trip above this is a stall, not a distance.
pub(super) const ROUND_TRIP_MAX: Span = Span::millis(400);

/// Receipt is acknowledged at the latest after this.
pub(super) const MARK_AFTER: Span = Span::millis(2);
/// Receipt of so many cells is acknowledged at once, so that a window never waits for a timer.
pub(super) const MARK_CELLS: u32 = 32;
/// The tail of a burst is probed after this, or when the marks are due and the way was twice as long.
pub(super) const PROBE_MIN: Span = Span::millis(5);
/// … but no later than this, however long the way has been: the loss of the last packet is found soon.
pub(super) const PROBE_FIRST_MAX: Span = Span::millis(20);
/// Probes double their distance up to this.
pub(super) const PROBE_MAX: Span = Span::millis(50);

/// Who alone keeps the window half full for so long is a laggard (RULES L8); it is half of the
/// failure timeout.
pub const LAGGARD_AFTER: Span = Span::millis(150);

/// What a link is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// This member.
    pub me: MemberId,
    /// The cluster: packets of any other are refused.
    pub cluster: ClusterId,
    /// This run of the replica.
    pub boot: BootId,
    /// The versions of the protocol that it speaks.
    pub speaks: Versions,
    /// The largest datagram to send, in bytes.
    pub datagram_max: usize,
    /// What bodies may fill of the ring, in bytes.
    pub window_bytes: usize,
    /// What one peer may lack of its own stream, in bytes.
    pub stream_window_bytes: usize,
    /// How long one member alone may keep the window half full.
    pub laggard_after: Span,
}

impl Options {
    /// The defaults, for this member and boot.
    pub fn new(me: MemberId, cluster: ClusterId, boot: BootId) -> Options {
        Options {
            me,
            cluster,
            boot,
            speaks: SPOKEN,
            datagram_max: DATAGRAM_MAX,
            window_bytes: WINDOW_BYTES,
            stream_window_bytes: STREAM_WINDOW_BYTES,
            laggard_after: LAGGARD_AFTER,
        }
    }
}
