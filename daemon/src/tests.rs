//! Configurations that are taken, and those that are refused with a reason.

use crate::config::Config;
use ftq_core::replica::Order;

const EXAMPLES: [&str; 3] =
    [include_str!("../examples/1.toml"), include_str!("../examples/2.toml"), include_str!("../examples/3.toml")];

#[test]
fn the_examples_are_one_cluster() {
    let configs = EXAMPLES.map(|text| Config::parse(text).expect("an example is a configuration"));
    for (config, number) in configs.iter().zip(1..) {
        assert_eq!(config.me.number(), number);
        assert_eq!(config.members, configs[0].members);
        assert_eq!(config.cluster_id(), configs[0].cluster_id());
        assert_eq!(config.order, Order::Rotating);
        assert_eq!(configs.iter().filter(|other| other.client == config.client).count(), 1);
        assert_eq!(configs.iter().filter(|other| other.data_dir == config.data_dir).count(), 1);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let whole = EXAMPLES[0];
    let cases = [
        ("me = 1", "me = 0", "0 can't be a member's id"),
        ("me = 1", "me = 4", "me = 4, but that is none of the members"),
        ("me = 1", "me = 1\ncolour = \"blue\"", "unknown field `colour`"),
        ("me = 1", "", "missing field `me`"),
        ("id = 2", "id = 3", "members: 3 is there twice"),
        ("127.0.0.1:7421", "127.0.0.1:7411", "two of them have the address 127.0.0.1:7411"),
        ("127.0.0.1:7421", "192.0.2.7:7421", "peer: 192.0.2.7:7421 is not a loopback address"),
        ("client = \"127.0.0.1:7410\"", "client = \"0.0.0.0:7410\"", "client: 0.0.0.0:7410 is not a loopback address"),
        ("client = \"127.0.0.1:7410\"", "client = \"127.0.0.1:7411\"", "this member's address for its peers already"),
        ("cluster = \"example\"", "cluster = \"an example\"", "cluster: a name is"),
    ];
    for (from, to, reason) in cases {
        assert!(whole.contains(from), "{from}");
        let refused = Config::parse(&whole.replacen(from, to, 1)).expect_err(to);
        assert!(refused.contains(reason), "{to}: {refused}");
    }
}
