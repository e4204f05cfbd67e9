//! What must hold, told by scenario: each file is one behaviour of a whole cluster in virtual time.
//!
//! Every bound is one of virtual time, so it means the same on every machine. All invariants of the
//! simulator are checked after every step of every scenario.

mod alone;
mod bad_links;
mod blame;
mod cluster_changes;
mod dead_origin;
mod deaths;
mod far_behind;
mod full_disk;
mod full_window;
mod hostile;
mod hung_disk;
mod idle;
mod lost_disks;
mod lost_tail;
mod minority_sequence;
mod other_order;
mod partition;
mod power_cut;
mod retirement;
mod slow_member;
mod slow_promise;
mod start;
mod two_boots;
mod upgrade;
mod waiting;

use ftq_core::machine::queues::{Answer, Command, Question, decode_reply};
use ftq_core::time::Span;
use ftq_tests::calls::label;
use ftq_tests::checkers::history::End;
use ftq_tests::world::World;

/// After so much silence a member is missed: the default.
const FAILURE: Span = Span::millis(300);

/// How long a cluster of healthy members takes at most to form its first view.
const FORMED: Span = Span::secs(1);

/// Lets all members form the first view.
fn formed(mut world: World) -> World {
    world.agree(FORMED);
    world.run_for(Span::millis(20));
    world
}

/// The simplest command: so many numbers of a sequence.
fn draw(sequence: u64, count: u64) -> Command {
    Command::GetId { name: label(sequence), count }
}

/// How many numbers of a sequence were drawn, as a client is told within this span.
fn drawn(world: &mut World, client: usize, sequence: u64, local: bool, within: Span) -> u64 {
    let ask = world.ask(client, Question::Next { name: label(sequence) }, local, Span::secs(2));
    world.run_for(within);
    let Some(End::Read { answer, .. }) = world.end(ask) else { panic!("{:?}", world.end(ask)) };
    let Ok(Answer::Ids { first, count: 0 }) = decode_reply(answer) else { panic!("{answer:?}") };
    first - 1
}

/// How many commands are answered in this span.
fn answered_in(world: &mut World, span: Span) -> u64 {
    let before = world.answered();
    world.run_for(span);
    world.answered() - before
}
