//! A minute's part of the model check; `ftq-model` looks at as many states as one likes.

use ftq_tests::model::{Beginning, Cluster, verdict};
use stateright::{Checker, Model};

/// From each beginning so many states are reached, each time counted: some seconds.
const STATES: usize = 100_000;

#[test]
fn no_order_of_messages_syncs_and_faults_loses_anything() {
    for beginning in Beginning::ALL {
        let checker = Cluster::from(beginning).checker().target_state_count(STATES).spawn_dfs().join();
        assert_eq!(verdict(&checker), Ok(()), "from {beginning:?}");
        let (reached, distinct) = (checker.state_count(), checker.unique_state_count());
        assert!(distinct > reached / 8, "from {beginning:?}: {distinct} distinct states of {reached}");
    }
}

/// Deep and broad searches begin alike and look at other things: what is near a beginning is seen by this one.
#[test]
fn nothing_near_a_healthy_cluster_loses_anything() {
    let broad = Cluster::from(Beginning::Healthy).checker().target_state_count(STATES / 2).spawn_bfs().join();
    assert!(broad.discovery("nothing is lost, and nothing is told that is not so").is_none());
    assert!(broad.unique_state_count() > STATES / 24, "{} distinct states", broad.unique_state_count());
}
