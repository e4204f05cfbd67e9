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
        assert_eq!(config.key_file, configs[0].key_file);
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
        ("key-file = \"ftq.key\"", "", "the 3 replicas talk to each other"),
        ("key-file = \"ftq.key\"", "", "ftqctl key new --file ftq.key"),
        ("127.0.0.1:7421", "[::1]:7421", "use IPv4 for all or IPv6 for all"),
        ("me = 1", "me = 1\ndatagram = 1000", "it can be 1044 to 65000 bytes"),
        ("me = 1", "me = 1\ndatagram = 65001", "it can be 1044 to 65000 bytes"),
        ("me = 1", "me = 1\nclient-plain = \"none\"", "unknown variant `none`"),
        ("me = 1", "me = 1\nclient-datagram = 9000", "it can be 1024 to 8900 bytes"),
        ("client = \"127.0.0.1:7410\"", "client = \"127.0.0.1:7411\"", "this member's address for its peers already"),
        ("cluster = \"example\"", "cluster = \"an example\"", "cluster: a name is"),
    ];
    for (from, to, reason) in cases {
        assert!(whole.contains(from), "{from}");
        let refused = Config::parse(&whole.replacen(from, to, 1)).expect_err(to);
        assert!(refused.contains(reason), "{to}: {refused}");
    }
}

#[test]
fn sealed_replicas_may_be_on_several_machines() {
    let far = EXAMPLES[0].replace("127.0.0.1:7421", "192.0.2.7:7421");
    assert_eq!(Config::parse(&far).map(|config| config.datagram), Ok(1_400), "as an ordinary path carries it");
    let jumbo = far.replace("me = 1", "me = 1\ndatagram = 9000");
    assert!(Config::parse(&jumbo).is_err_and(|what| what.contains("1044 to 8900")));
    let alone = "cluster = \"c\"\nme = 1\n[[members]]\nid = 1\npeer = \"192.0.2.7:7411\"\n";
    let refused = Config::parse(alone).expect_err("it can be reached");
    assert!(refused.contains("192.0.2.7:7411 can be reached from other machines"), "{refused}");
    assert!(Config::parse(&alone.replace("192.0.2.7", "[::ffff:127.0.0.1]")).is_ok(), "loopback in another notation");
}

#[test]
fn clients_elsewhere_need_a_key_too() {
    let alone = "cluster = \"c\"\nme = 1\nclient = \"0.0.0.0:7410\"\n[[members]]\nid = 1\npeer = \"127.0.0.1:7411\"\n";
    let refused = Config::parse(alone).expect_err("it can be reached");
    assert!(refused.contains("0.0.0.0:7410 can be reached from other machines"), "{refused}");
    let off = alone.replace("0.0.0.0", "127.0.0.1").replace("me = 1", "me = 1\nclient-plain = \"off\"");
    assert!(Config::parse(&off).is_err_and(|what| what.contains("nobody could be served")));
    let sealed = off.replace("me = 1", "me = 1\nkey-file = \"keys\"");
    assert_eq!(Config::parse(&sealed).map(|config| config.client_plain), Ok(None));
}

#[test]
fn a_group_is_for_members_on_several_machines() {
    let near = EXAMPLES[0].replace("me = 1", "me = 1\nmulticast = \"239.7.7.7:7411\"");
    assert!(Config::parse(&near).is_err_and(|what| what.contains("127.0.0.1:7411 can't hear it")));
    let far = near.replace("127.0.0.1:74", "192.0.2.7:74").replace("client = \"192.0.2.7", "client = \"127.0.0.1");
    let group = Config::parse(&far).map(|config| config.multicast);
    assert_eq!(group, Ok(Some("239.7.7.7:7411".parse().expect("an address"))));
    assert_eq!(Config::parse(EXAMPLES[0]).map(|config| config.multicast), Ok(None), "it is off");
    let nobody = far.replace("239.7.7.7", "192.0.2.9");
    assert!(Config::parse(&nobody).is_err_and(|what| what.contains("224.0.0.0 to 239.255.255.255")));
}
