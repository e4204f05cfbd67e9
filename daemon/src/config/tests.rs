//! Configurations that are taken, and those that are refused with a reason.

use super::{Address, Config, Told};
use ftq_core::ids::{MemberId, MemberSet};
use ftq_core::replica::Order;

const EXAMPLES: [&str; 3] = [
    include_str!("../../examples/1.toml"),
    include_str!("../../examples/2.toml"),
    include_str!("../../examples/3.toml"),
];

const ALONE: &str = "cluster = \"c\"\nme = 1\n[[members]]\nid = 1\npeer = \"127.0.0.1:7411\"\n";

/// All that a replica needs that comes into a cluster.
const JOINS: &str = "cluster = \"c\"\nme = 4\npeer = \"192.0.2.4:7411\"\nkey-file = \"k\"\njoin = \"192.0.2.1:7411\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, &Told::default()).map_err(|problems| problems.of_file("f"))
}

#[test]
fn the_examples_are_one_cluster() {
    let configs = EXAMPLES.map(|text| parse(text).expect("an example is a configuration"));
    for (config, number) in configs.iter().zip(1..) {
        assert_eq!(config.me.number(), number);
        assert_eq!(config.members, configs[0].members);
        assert_eq!(config.cluster_id(), configs[0].cluster_id());
        assert_eq!(config.key_file, configs[0].key_file);
        assert_eq!(config.order, Order::Rotating);
        assert_eq!(configs.iter().filter(|other| other.client == config.client).count(), 1);
        assert_eq!(configs.iter().filter(|other| other.http == config.http).count(), 1);
        assert_eq!(configs.iter().filter(|other| other.data_dir == config.data_dir).count(), 1);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line_and_the_reason() {
    let whole = EXAMPLES[0];
    let cases = [
        ("me = 1", "me = 0", ":3: me: 0: it can be 1 to 63"),
        ("me = 1", "me = 4", "me = 4, but that is none of the members"),
        ("me = 1", "me = \"1\"", ":3: me: this has to be a number, and is of the type string"),
        ("me = 1", "me = 1\ncolour = \"blue\"", ":4: colour: there is no such key; there are cluster, me, "),
        ("me = 1", "me = 1\nkeyfile = \"k\"", ":4: keyfile: there is no such key; did you mean key-file?"),
        ("me = 1", "me = 1\ndata_dir = \"k\"", ":4: data_dir: there is no such key; did you mean data-dir?"),
        ("me = 1", "", "f: me: which of the members is this?"),
        ("cluster = \"example\"", "", "f: cluster: its members need a name"),
        ("id = 2", "id = 3", "members: 3 is there twice"),
        ("id = 2", "idd = 2", "members.idd: there is no such key; did you mean id?"),
        ("127.0.0.1:7421", "127.0.0.1:7411", "two of them have the address 127.0.0.1:7411"),
        ("127.0.0.1:7421", "127.0.0.1", "an address is a number or a name with a port"),
        ("key-file = \"ftq.key\"", "", "the 3 replicas talk to each other"),
        ("key-file = \"ftq.key\"", "", "ftqctl key new --file ftq.key"),
        ("127.0.0.1:7421", "[::1]:7421", "use IPv4 for all or IPv6 for all"),
        (
            "me = 1",
            "me = 1\ndatagram = 1000",
            ":4: datagram: 1000: between these addresses it can be 1044 to 65000 bytes",
        ),
        ("me = 1", "me = 1\ndatagram = 65001", "it can be 1044 to 65000 bytes"),
        ("me = 1", "me = 1\nclient-plain = \"none\"", "it can be \"off\", \"read\", \"write\", \"admin\""),
        ("me = 1", "me = 1\nclient-datagram = 9000", "9000: it can be 1024 to 8900"),
        ("me = 1", "me = 1\njournal = \"1 MiB\"", "it can be 32 MiB to 2 GiB"),
        ("me = 1", "me = 1\njournal = 33554433", "it has to be a multiple of 4096"),
        ("me = 1", "me = 1\njournal = \"1 MB\"", "for example \"64 MiB\""),
        ("me = 1", "me = 1\nlog = \"loud\"", "it can be \"error\", \"warn\""),
        ("http = \"127.0.0.1:7412\"", "http = \"no\"", "http: \"no\": an address is"),
        ("client = \"127.0.0.1:7410\"", "client = \"127.0.0.1:7411\"", "this member's address for its peers already"),
        ("cluster = \"example\"", "cluster = \"an example\"", "a name is 1 to 64 of"),
        ("me = 1", "me = ", ":3: "),
    ];
    for (from, to, reason) in cases {
        assert!(whole.contains(from), "{from}");
        let refused = parse(&whole.replacen(from, to, 1)).expect_err(to);
        assert!(refused.contains(reason), "{to}: {refused}");
    }
}

#[test]
fn who_joins_by_an_address_founds_nothing() {
    let config = parse(JOINS).expect("a configuration");
    assert_eq!(config.join, [Address::parse("192.0.2.1:7411").expect("an address")]);
    assert_eq!((config.founders(), config.datagram), (MemberSet::EMPTY, 1_400));
    assert_eq!(config.members.len(), 1, "its own address");
    let near = parse(&JOINS.replace("192.0.2.", "127.0.0.")).expect("a configuration");
    assert_eq!(near.datagram, 16_000);
    let founder = parse(EXAMPLES[0]).expect("a configuration");
    assert_eq!(founder.founders().len(), 3);
    assert_eq!(founder.fixed_that_differ(&Config { join: config.join, ..founder.clone() }), ["join"]);
}

#[test]
fn what_is_wrong_with_joining_says_what_to_do() {
    let both = "join = \"192.0.2.1:7411\"\n[[members]]\nid = 4\npeer = \"192.0.2.4:7411\"\n";
    let cases = [
        ("join = \"192.0.2.1:7411\"\n", both, "take one of the two out"),
        ("join = \"192.0.2.1:7411\"", "join = \"192.0.2.4:7411\"", ":5: join: 192.0.2.4:7411 is the address of this"),
        ("join = \"192.0.2.1:7411\"", "join = []", ":5: join: it has to be the address of a member that runs"),
        ("join = \"192.0.2.1:7411\"", "join = 5", "join: this has to be a text in quotes, or a list of such"),
        ("join = \"192.0.2.1:7411\"", "join = [\"192.0.2.1\"]", "an address is a number or a name with a port"),
        ("join = \"192.0.2.1:7411\"", "join = \"[2001:db8::1]:7411\"", "use IPv4 for both or IPv6"),
        ("peer = \"192.0.2.4:7411\"", "peer = \"127.0.0.1:7411\"", "can't reach 127.0.0.1:7411 (`peer`)"),
        ("peer = \"192.0.2.4:7411\"", "", "peer: `join` needs the address at which the others find this replica"),
        ("me = 4", "", "me: a number that no other member has: here, or as --me"),
        ("cluster = \"c\"", "", "cluster: its members need a name"),
        ("key-file = \"k\"", "", "ftqctl key new --file ftq.key"),
    ];
    for (from, to, reason) in cases {
        assert!(JOINS.contains(from), "{from}");
        let refused = parse(&JOINS.replacen(from, to, 1)).expect_err(to);
        assert!(refused.contains(reason) && refused.lines().count() == 1, "{to}: {refused}");
    }
    let near = JOINS.replace("192.0.2.", "127.0.0.").replace("key-file = \"k\"", "");
    assert!(parse(&near).is_err_and(|refused| refused.contains("it talks to other replicas, so")));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_lines() {
    let refused =
        parse("cluster = 1\nme = 70\norder = \"random\"\n[[members]]\nid = 1\n").expect_err("it is all wrong");
    let lines: Vec<&str> = refused.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["f:1", "f:2", "f:3", "f:4"], "{refused}");
}

#[test]
fn sealed_replicas_may_be_on_several_machines() {
    let far = EXAMPLES[0].replace("127.0.0.1:7421", "192.0.2.7:7421");
    assert_eq!(parse(&far).map(|config| config.datagram), Ok(1_400), "as an ordinary path carries it");
    let jumbo = far.replace("me = 1", "me = 1\ndatagram = 9000");
    assert!(parse(&jumbo).is_err_and(|what| what.contains("1044 to 8900")));
    let refused = parse(&ALONE.replace("127.0.0.1", "192.0.2.7")).expect_err("it can be reached");
    assert!(refused.contains("192.0.2.7:7411 can be reached from other machines"), "{refused}");
    assert!(parse(&ALONE.replace("127.0.0.1", "[::ffff:127.0.0.1]")).is_ok(), "loopback in another notation");
}

#[test]
fn a_group_is_for_members_on_several_machines() {
    let near = EXAMPLES[0].replace("me = 1", "me = 1\nmulticast = \"239.7.7.7:7411\"");
    assert!(parse(&near).is_err_and(|what| what.contains("127.0.0.1:7411 can't hear it")));
    let far = near.replace("127.0.0.1:74", "192.0.2.7:74").replace("client = \"192.0.2.7", "client = \"127.0.0.1");
    let group = parse(&far).map(|config| config.multicast);
    assert_eq!(group, Ok(Some("239.7.7.7:7411".parse().expect("an address"))));
    assert_eq!(parse(EXAMPLES[0]).map(|config| config.multicast), Ok(None), "it is off");
    let nobody = far.replace("239.7.7.7", "192.0.2.9");
    assert!(parse(&nobody).is_err_and(|what| what.contains("224.0.0.0 to 239.255.255.255")));
}

#[test]
fn names_do_for_addresses() {
    let named = EXAMPLES[0].replace("127.0.0.1:7421", "queue-2.example.org:7411");
    let config = parse(&named).expect("a name is an address");
    let second = config.members.get(&MemberId::new(2).unwrap());
    assert_eq!(second, Some(&Address::Name("queue-2.example.org:7411".to_owned())));
    assert_eq!(config.datagram, 1_400, "who knows where that is");
    let refused = parse(&named.replace("key-file = \"ftq.key\"", "")).expect_err("it can be reached");
    assert!(refused.contains("queue-2.example.org:7411 can be reached from other machines"), "{refused}");
    assert!(parse(&ALONE.replace("127.0.0.1", "localhost")).is_ok());
    for bad in ["queue-2", "queue-2:", "queue-2:70000", ":7411", "a b:7411", "1.2.3:7411"] {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn clients_elsewhere_need_a_key_too() {
    let open = ALONE.replace("me = 1", "me = 1\nclient = \"0.0.0.0:7410\"");
    let refused = parse(&open).expect_err("it can be reached");
    assert!(refused.contains("0.0.0.0:7410 can be reached from other machines"), "{refused}");
    let off = ALONE.replace("me = 1", "me = 1\nclient-plain = \"off\"");
    assert!(parse(&off).is_err_and(|what| what.contains("nobody could be served")));
    let sealed = off.replace("me = 1", "me = 1\nkey-file = \"keys\"");
    assert_eq!(parse(&sealed).map(|config| config.client_plain), Ok(None));
}

#[test]
fn what_is_printed_is_a_configuration_that_says_the_same() {
    let odd = ALONE.replace(
        "me = 1",
        "me = 1\nkey-file = \"a \\\"b\\\".key\"\nhttp = \"off\"\njournal = 33558528\norder = \"fixed\"",
    );
    let several = JOINS.replace("\"192.0.2.1:7411\"", "[\"192.0.2.1:7411\", \"queue-2:7411\"]");
    for text in
        [EXAMPLES[0], EXAMPLES[2], ALONE, JOINS, &several, "", &odd, "log = \"debug\"\nclient = \"[::1]:7410\"\n"]
    {
        let config = parse(text).expect(text);
        let printed = config.print();
        assert_eq!(parse(&printed).expect(&printed), config, "{printed}");
    }
    let printed = parse("").expect("nothing is needed").print();
    for key in
        ["cluster", "me", "client", "client-plain", "client-datagram", "peer", "http", "key-file", "datagram", "order"]
            .into_iter()
            .chain(["data-dir", "journal", "log-keep", "disk-low", "log", "multicast", "join"])
    {
        assert!(printed.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = "))), "{key}");
    }
}

#[test]
fn what_is_told_counts_for_more_than_the_file() {
    let told = Told {
        me: Some(3),
        data_dir: Some("/elsewhere".into()),
        key_file: Some("/credentials/keys".into()),
        log: Some(log::LevelFilter::Trace),
    };
    let config = Config::parse(EXAMPLES[0], &told).expect("a configuration");
    assert_eq!(config.me.number(), 3);
    assert_eq!(config.data_dir, std::path::Path::new("/elsewhere"));
    assert_eq!(config.key_file.as_deref(), Some(std::path::Path::new("/credentials/keys")));
    assert_eq!(config.log, log::LevelFilter::Trace);
    let without = EXAMPLES[0].replace("me = 1\n", "");
    assert_eq!(Config::parse(&without, &told).map(|config| config.me.number()), Ok(3));
}
