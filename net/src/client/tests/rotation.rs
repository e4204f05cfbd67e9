//! The keys of clients change while a port works: who keeps a key notices nothing, who lost it is heard no more.

use super::talk::{HERE, OPTIONS, Talk, call, key, path, read};
use crate::client::{Count, Line, Port};
use crate::keys::{ClientKey, Role, Secret};
use ftq_core::session::message::ServerMessage;

fn talk(name: &str, keys: &[ClientKey]) -> Talk {
    let line = Line::sealed(&key(name, Role::Admin), [7; 32], 1_400);
    Talk::new(line, Port::new(keys, OPTIONS, [1; 32]), HERE)
}

fn answer(talk: &mut Talk) {
    let (client, _) = *talk.heard.last().expect("it was heard");
    talk.port.send(talk.now, client, &ServerMessage::ReadAnswer { nonce: 1, slot: 1, answer: "yes".into() });
    talk.settle();
}

#[test]
fn who_keeps_a_key_goes_on_in_the_same_channel() {
    let [app, other] = [key("app", Role::Write), key("watch", Role::Read)];
    let mut talk = talk("app", std::slice::from_ref(&app));
    talk.say(&call(1));
    answer(&mut talk);
    talk.port.change_keys(&[other, app]);
    talk.say(&call(2));
    answer(&mut talk);
    assert_eq!((talk.heard.len(), talk.answers.len()), (2, 2));
    assert_eq!((talk.port.of(Count::Opened), talk.port.of(Count::Revoked)), (1, 0));
}

#[test]
fn a_new_key_is_served_at_once() {
    let mut talk = talk("app", &[]);
    talk.say(&call(1));
    assert!(talk.heard.is_empty());
    talk.port.change_keys(&[key("app", Role::Write)]);
    talk.pass(500);
    talk.say(&call(2));
    assert!(!talk.heard.is_empty());
}

#[test]
fn a_role_changes_for_channels_that_are_open() {
    let mut talk = talk("app", &[key("app", Role::Write)]);
    talk.say(&call(1));
    answer(&mut talk);
    talk.port.change_keys(&[key("app", Role::Read)]);
    talk.say(&call(2));
    talk.say(&read(3, 1));
    assert_eq!((talk.heard.len(), talk.port.of(Count::RefusedRole)), (2, 1));
}

/// Neither what it still says nor what was recorded of it is taken, not even when the key comes back.
#[test]
fn a_key_that_was_taken_away_is_heard_no_more() {
    let app = key("app", Role::Write);
    let other = ClientKey { secret: Secret::new([99; 32]), ..app.clone() };
    for keys in [vec![], vec![other]] {
        let mut talk = talk("app", std::slice::from_ref(&app));
        talk.say(&call(1));
        answer(&mut talk);
        talk.port.change_keys(&keys);
        assert_eq!((talk.port.channels(), talk.port.of(Count::Revoked)), (0, 1));
        let sent = talk.to_client.len();
        for number in 2..10 {
            talk.say(&call(number));
            talk.pass(500);
        }
        assert_eq!((talk.heard.len(), talk.to_client.len()), (1, sent), "there is no answer to it");
        let record = talk.to_server.clone();
        talk.port.change_keys(std::slice::from_ref(&app));
        for datagram in &record {
            assert_eq!(talk.port.receive(talk.now, path(HERE), datagram), None);
        }
        talk.say(&call(11));
        talk.pass(500);
        talk.say(&call(12));
        assert!(talk.heard.len() > 1, "but its holder is welcome again");
    }
}

#[test]
fn loopback_without_a_key_does_not_care() {
    let mut talk = Talk::new(Line::plain(1_400), Port::new(&[key("app", Role::Write)], OPTIONS, [1; 32]), "[::1]:4000");
    talk.say(&call(1));
    talk.port.change_keys(&[]);
    talk.say(&call(2));
    assert_eq!((talk.heard.len(), talk.port.of(Count::Revoked)), (2, 0));
}
