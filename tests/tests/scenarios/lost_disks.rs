//! A store that has forgotten something never votes with what it does not know: it learns, and is admitted
//! again by a quorum without it (RULES S7, S12, S13).

use super::formed;
use ftq_core::ids::MemberId;
use ftq_core::machine::queues::{Question, QueueId};
use ftq_core::time::Span;
use ftq_storage::memory::Mishap;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::counts::Count;
use ftq_tests::world::{Setup, World};

/// A member with another store is admitted again within this.
const READMITTED: Span = Span::secs(5);

fn busy(members: usize) -> World {
    let mut world = formed(Setup::cluster(members).snapshots(50, 10).build());
    world.load(0, Load::writes(4));
    // Long enough that everyone has written down what it has heard.
    world.run_for(Span::secs(3));
    world
}

fn comes_back(world: &mut World, id: u8) {
    world.start(id);
    let back = |world: &World| !world.is_forgotten(id) && world.is_one_view_of_all();
    world.run_until(READMITTED, back).unwrap_or_else(|| panic!("member {id} is not back: {:?}", world.view(1)));
}

#[test]
fn s7_a_member_with_a_new_disk_is_readmitted_without_its_vote() {
    for members in [3, 4, 5] {
        for id in [1, members] {
            let mut world = busy(members.into());
            let store = world.disk(id).store();
            world.power_cut(id);
            world.new_disk(id);
            world.run_for(Span::millis(500));
            comes_back(&mut world, id);
            let member = MemberId::new(id).unwrap();
            assert_eq!(world.configuration().number, 2);
            assert!(!world.configuration().seats(member, store), "its old store has no seat any more");
            assert_eq!(world.counts().of(Count::Readmitted), 1);
        }
    }
}

/// Everybody else is down: it knows of nothing, and must not say that there is nothing.
#[test]
fn a_new_disk_answers_no_read() {
    let mut world = busy(3);
    world.power_cut_all();
    world.new_disk(3);
    world.start(3);
    world.bind_client(1, &[3]);
    let local = world.ask(1, Question::Statistics { queue: QueueId(1) }, true, Span::millis(300));
    world.run_for(Span::secs(2));
    assert!(matches!(world.end(local), Some(End::Refused | End::Unknown)), "{:?}", world.end(local));
    [1, 2].into_iter().for_each(|id| world.start(id));
    world.run_until(READMITTED, World::is_one_view_of_all).expect("it is back");
    let local = world.ask(1, Question::Statistics { queue: QueueId(1) }, true, Span::millis(300));
    world.run_for(Span::secs(1));
    assert!(matches!(world.end(local), Some(End::Read { .. })), "{:?}", world.end(local));
}

/// In a cluster of two the higher member alone is the quorum: without it nobody can admit it.
#[test]
fn s7_of_two_the_higher_one_is_never_readmitted() {
    let mut world = busy(2);
    world.power_cut(2);
    world.new_disk(2);
    world.start(2);
    world.run_for(Span::secs(20));
    assert_eq!(world.configuration().number, 1);
    let answered = world.answered();
    world.run_for(Span::secs(5));
    assert_eq!(world.answered(), answered, "nothing is served");
}

#[test]
fn s7_of_two_the_lower_one_is_readmitted() {
    let mut world = busy(2);
    world.power_cut(1);
    world.new_disk(1);
    comes_back(&mut world, 1);
}

#[test]
fn s12_stores_that_were_in_use_found_no_new_cluster() {
    let mut world = busy(3);
    for id in 1..=3 {
        world.power_cut(id);
        world.mishap(id, Mishap::IdentityLost);
    }
    world.start_all();
    let slots = world.committed();
    world.run_for(Span::secs(20));
    assert_eq!(world.committed(), slots);
    assert!((1..=3).all(|id| world.view(id).0.is_none()), "no view has formed");
}

#[test]
fn s12_a_journal_that_is_lost_is_noticed() {
    let mut world = busy(3);
    world.power_cut(2);
    world.mishap(2, Mishap::JournalLost);
    comes_back(&mut world, 2);
    assert_eq!(world.counts().of(Count::Readmitted), 1);
}

/// The archive of a member is lost: it is rebuilt by log or by snapshot, and keeps its vote.
#[test]
fn a_hollow_store_is_rebuilt() {
    for snapshots in [50, 1_000_000] {
        let mut world = formed(Setup::cluster(3).snapshots(snapshots, 10).build());
        world.load(0, Load::writes(4));
        world.run_for(Span::secs(3));
        let store = world.disk(3).store();
        world.power_cut(3);
        world.mishap(3, Mishap::ArchiveLost);
        comes_back(&mut world, 3);
        assert_eq!(world.disk(3).store(), store);
        assert_eq!(world.configuration().number, 1, "nobody had to admit it");
    }
}

/// The archive of a member is lost, and it holds the only other copy of what is accepted.
#[test]
fn a_hollow_store_answers_prepare() {
    let mut world = busy(3);
    world.power_cut(1);
    world.run_for(Span::secs(1));
    world.power_cut_all();
    world.mishap(3, Mishap::ArchiveLost);
    world.start(2);
    world.start(3);
    world.run_until(READMITTED, |world| !world.is_forgotten(3)).expect("it is rebuilt from member 2");
    world.start(1);
    world.run_until(READMITTED, World::is_one_view_of_all).expect("one view of all");
}

#[test]
fn s13_an_older_copy_is_noticed_by_what_others_have_heard() {
    let mut world = busy(3);
    world.copy_disk(3);
    world.run_for(Span::secs(3));
    world.power_cut(3);
    world.put_back(3);
    assert!(world.is_forgotten(3));
    comes_back(&mut world, 3);
    assert_eq!(world.counts().of(Count::OlderStore), 1);
    assert_eq!(world.counts().of(Count::Readmitted), 1);
}

/// What was heard is written down: a witness that has started again since knows it still.
#[test]
fn s13_a_witness_that_restarts_remembers() {
    let mut world = busy(3);
    world.copy_disk(3);
    world.run_for(Span::secs(3));
    world.power_cut_all();
    world.put_back(3);
    assert!(world.is_forgotten(3));
    world.start_all();
    world.run_until(READMITTED, |world| !world.is_forgotten(3)).expect("member 3 is admitted again");
}

#[test]
fn s13_a_tail_that_is_silently_lost_is_noticed() {
    let mut world = busy(3);
    world.stop_load(0);
    world.run_for(Span::secs(3));
    world.power_cut(3);
    world.mishap(3, Mishap::TailLost);
    if world.is_forgotten(3) {
        comes_back(&mut world, 3);
    }
}
