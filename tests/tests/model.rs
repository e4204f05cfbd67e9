//! A minute's part of the model check; `ftq-model` looks at as many states as one likes.

use ftq_tests::model::{Cluster, verdict};
use stateright::{Checker, Model};

/// So many states are reached, each time counted: some seconds.
const STATES: usize = 150_000;

#[test]
fn no_order_of_messages_syncs_and_faults_loses_anything() {
    let deep = Cluster::default().checker().target_state_count(STATES).spawn_dfs().join();
    assert_eq!(verdict(&deep), Ok(()));
    assert!(deep.unique_state_count() > STATES / 8, "{} distinct states", deep.unique_state_count());
    let broad = Cluster::default().checker().target_state_count(STATES / 3).spawn_bfs().join();
    assert!(broad.discovery("nothing is lost, and nothing is told that is not so").is_none());
    assert!(broad.unique_state_count() > STATES / 24, "{} distinct states", broad.unique_state_count());
}
