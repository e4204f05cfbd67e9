//! A cluster is upgraded to a build with newer rules of the queues, one member at a time: it goes on by the old
//! rules until every member knows the new ones, and then switches at one place of the log.

use ftq_core::group::admission::ClusterChange;
use ftq_core::ids::MemberId;
use ftq_core::machine::queues::{Command, Error, Label, Reply, Rules, decode_reply};
use ftq_core::time::Span;
use ftq_tests::checkers::history::End;
use ftq_tests::clients::Load;
use ftq_tests::counts::Count;
use ftq_tests::world::{Setup, World};

const SOON: Span = Span::secs(2);

/// A request that only the newer rules have.
fn steps(world: &mut World) -> Reply {
    let name = Label::parse(b"numbers").expect("a name");
    let call = world.call(0, Command::Steps(vec![Command::GetId { name, count: 1 }]), SOON);
    world.run_until(SOON, |world| world.end(call).is_some()).expect("an answer");
    match world.end(call) {
        Some(End::Answered { answer, .. }) => decode_reply(answer),
        other => panic!("{other:?}"),
    }
}

/// One member is stopped and comes back with the newest build, while a client is at work.
fn upgrade_under_load(world: &mut World, id: u8) {
    world.load(1, Load::writes(4));
    world.run_for(SOON);
    world.upgrade(id);
    world.run_for(SOON);
    world.stop_load(1);
    world.agree(SOON);
}

fn rules(world: &World) -> Vec<Option<u64>> {
    (1..=3).map(|id| world.rules(id)).collect()
}

#[test]
fn one_member_at_a_time() {
    let mut world = Setup::cluster(3).snapshots(100, 100).upgrade().build();
    world.agree(SOON);
    assert_eq!(steps(&mut world), Err(Error::NotInRules));
    for id in [2, 3] {
        upgrade_under_load(&mut world, id);
        assert_eq!(steps(&mut world), Err(Error::NotInRules), "not all know the new rules");
    }
    assert_eq!(rules(&world), [Some(1); 3]);
    upgrade_under_load(&mut world, 1);
    assert_eq!(rules(&world), [Some(Rules::NEWEST.number()); 3]);
    assert!(steps(&mut world).is_ok());
    // A member comes back to what has been switched meanwhile, by the log and by a snapshot.
    world.crash(3);
    world.run_for(SOON);
    world.start(3);
    world.agree(SOON);
    assert_eq!(world.rules(3), Some(Rules::NEWEST.number()));
}

/// Builds that know the newest rules begin under the first ones too, and switch before anybody could tell.
#[test]
fn a_new_cluster_switches_at_once() {
    let mut world = Setup::cluster(3).upgrade().build_down();
    (1..=3).for_each(|id| world.upgrade(id));
    world.agree(SOON);
    assert!(steps(&mut world).is_ok());
}

/// A replica with an older build is started after the switch: it stops where the log switches, each time that
/// it is started, and differs from nobody; with the newest build it goes on from there.
#[test]
fn who_does_not_know_the_rules_stops() {
    let mut world = Setup::cluster(3).spares(1).upgrade().build_down();
    world.set_build(4, Rules::FIRST);
    (1..=3).for_each(|id| world.upgrade(id));
    world.agree(SOON);
    assert!(steps(&mut world).is_ok());
    let before = world.counts().of(Count::Restart);
    world.enlist(4, 1);
    world.run_for(SOON);
    assert!(world.counts().of(Count::Restart) > before + 1, "it stops, and something starts it again");
    assert_eq!(world.rules(4).unwrap_or(1), 1);
    world.upgrade(4);
    world.order_change(1, ClusterChange::Add(MemberId::new(4).expect("a member")));
    world.run_for(SOON);
    assert_eq!(world.rules(4), Some(2));
}
