//! Disks are nearly full: what is pushed goes where there is room, and is refused when there is room on too few;
//! pops and acks go on, and so does everything once there is room again.

use super::formed;
use ftq_core::machine::queues::{Command, PushOptions, QueueId};
use ftq_core::time::Span;
use ftq_tests::calls::label;
use ftq_tests::checkers::history::End;
use ftq_tests::world::{Setup, World};

/// Long enough for a refusal to be the last word.
const PATIENCE: Span = Span::secs(2);

#[test]
fn one_full_disk_of_three_sends_pushes_elsewhere() {
    let mut world = formed(Setup::cluster(3).build());
    assert!(matches!(done(&mut world, Command::Create { label: label(1) }), End::Answered { .. }));
    world.fill_disk(1, true);
    world.run_for(Span::millis(100));
    for number in 0..20 {
        assert!(matches!(done(&mut world, push(number)), End::Answered { .. }));
    }
    world.bind_client(0, &[1]);
    assert!(matches!(done(&mut world, push(20)), End::Refused), "it knows of nobody else");
    assert!(matches!(done(&mut world, pop()), End::Answered { .. }));
}

#[test]
fn without_room_on_a_quorum_nothing_is_pushed_and_the_rest_goes_on() {
    let mut world = formed(Setup::cluster(3).build());
    assert!(matches!(done(&mut world, Command::Create { label: label(1) }), End::Answered { .. }));
    assert!(matches!(done(&mut world, push(0)), End::Answered { .. }));
    world.fill_disk(1, true);
    world.fill_disk(3, true);
    world.run_for(Span::millis(100));
    for number in 1..6 {
        assert!(matches!(done(&mut world, push(number)), End::Refused));
        assert!(matches!(done(&mut world, Command::Create { label: label(10 + number) }), End::Refused));
        assert!(matches!(done(&mut world, Command::Steps(vec![pop(), push(10 * number)])), End::Refused));
        assert!(matches!(done(&mut world, Command::Create { label: label(1) }), End::Answered { .. }), "it is there");
        assert!(matches!(done(&mut world, Command::GetId { name: label(number), count: 1 }), End::Answered { .. }));
    }
    assert!(matches!(done(&mut world, pop()), End::Answered { .. }));
    world.fill_disk(3, false);
    world.run_for(Span::millis(100));
    assert!(matches!(done(&mut world, push(7)), End::Answered { .. }));
}

/// Who has no view knows nothing of the others' disks: its clients go elsewhere.
#[test]
fn a_replica_with_a_new_disk_does_not_take_all_disks_for_full() {
    let mut world = formed(Setup::cluster(3).build());
    assert!(matches!(done(&mut world, Command::Create { label: label(1) }), End::Answered { .. }));
    world.power_cut(3);
    world.new_disk(3);
    for other in [1, 2] {
        world.cut(3, other);
        world.cut(other, 3);
    }
    world.start(3);
    world.run_for(Span::secs(1));
    world.bind_client(0, &[3, 1]);
    assert!(matches!(done(&mut world, push(1)), End::Answered { .. }));
}

/// An item of its own for each push: the checkers tell commands apart by their bytes.
fn push(number: u64) -> Command {
    Command::Push { queue: QueueId(1), items: vec![number.to_string().into()], options: PushOptions::default() }
}

fn pop() -> Command {
    Command::Pop { queue: QueueId(1), count: 1, wait_ms: 0 }
}

fn done(world: &mut World, command: Command) -> End {
    let call = world.call(0, command, PATIENCE);
    world.run_until(Span::secs(3), |world| world.end(call).is_some());
    world.end(call).cloned().expect("every call ends in time")
}
