//! RULES S10 for changes of the cluster: what one replica refuses another one may be about to do.

use super::*;
use crate::blocking::Blocking;
use crate::options::Options;
use ftq_core::ids::{Digest, MemberId, MemberSet, Slot};
use ftq_core::replica::State;
use ftq_core::session::message::{ClientMessage, Refusal, RequestName, ServerMessage};
use ftq_net::client::{decode_request, encode_answer};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a server says to a change.
#[derive(Clone, Copy)]
enum Says {
    Nothing,
    NoQuorum,
    Ends(ChangeOutcome),
}

/// What the servers have in common: the configuration that they tell, and what they were asked for.
#[derive(Default)]
struct Shared {
    configuration: u64,
    asked: Vec<Option<u64>>,
}

fn status(configuration: u64) -> Status {
    let me = MemberId::new(1).expect("a member");
    Status {
        me,
        state: State::Serves,
        view: (1, Some(me)),
        members: MemberSet::of(me),
        ring: MemberSet::of(me),
        configuration,
        voters: MemberSet::of(me),
        heard: MemberSet::of(me),
        end: Slot(1),
        committed: Slot(1),
        applied: Slot(1),
        disk_ms: 0,
        digest: Digest(1),
        peers: Vec::new(),
        nearly_full: MemberSet::EMPTY,
    }
}

/// A server that tells how it is, and says this to changes, the last of them again and again.
fn server(shared: &Arc<Mutex<Shared>>, says: &[Says]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("an address");
    let (shared, says) = (shared.clone(), says.to_vec());
    std::thread::spawn(move || {
        let (mut bytes, mut changes) = ([0; 2_048], 0);
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let message = decode_request(Bytes::copy_from_slice(&bytes[..length])).expect("a request");
            let ClientMessage::Read { nonce, question, .. } = message else { panic!("{message:?}") };
            let answer = |answer| Some(ServerMessage::ReadAnswer { nonce, slot: 1, answer });
            let mut shared = shared.lock().expect("no panic");
            let answer = match Inquiry::read(&question).expect("a question").expect("well formed") {
                Inquiry::Status => answer(status(shared.configuration).encode()),
                Inquiry::Change { replaces, .. } => {
                    shared.asked.push(replaces);
                    let said = says[changes.min(says.len() - 1)];
                    changes += 1;
                    match said {
                        Says::Nothing => None,
                        Says::NoQuorum => {
                            let (request, refusal) = (RequestName::Read(nonce), Refusal::NoQuorum);
                            Some(ServerMessage::Refused { request, refusal })
                        }
                        Says::Ends(outcome) => {
                            shared.configuration += u64::from(outcome == ChangeOutcome::Overtaken);
                            answer(Changed(outcome).encode())
                        }
                    }
                }
                other @ (Inquiry::Views | Inquiry::Log(_) | Inquiry::Snapshot | Inquiry::TakeSnapshot) => {
                    panic!("{other:?}")
                }
            };
            if let Some(answer) = answer {
                socket.send_to(&encode_answer(&answer), from).expect("sent");
            }
        }
    });
    address
}

/// How a change ends with such servers, and the configurations that were to be replaced.
fn change(servers: &[&[Says]]) -> (Result<ChangeOutcome, Error>, Vec<Option<u64>>) {
    let shared = Arc::new(Mutex::new(Shared { configuration: 7, asked: Vec::new() }));
    let servers = servers.iter().map(|says| server(&shared, says)).collect();
    let options = Options { servers, timeout: Duration::from_millis(1_500), ..Options::default() };
    let client = Blocking::open(options).expect("a client");
    let ended = client.change_cluster(ClusterChange::Add(MemberId::new(4).expect("a member")));
    let mut asked = shared.lock().expect("no panic").asked.clone();
    asked.dedup();
    (ended, asked)
}

#[test]
fn a_no_beside_an_open_question_is_no_definite_one() {
    // Whichever server is asked first: one of them says nothing, and may be at it.
    for why in [Unfit::Busy, Unfit::NotHeard, Unfit::HadASeat] {
        let refused = Says::Ends(ChangeOutcome::Unfit(why));
        let (alone, asked) = change(&[&[refused]]);
        assert_eq!((alone, asked), (Ok(ChangeOutcome::Unfit(why)), vec![Some(7)]));
        // The first datagram gets lost, so another copy is open.
        assert_eq!(change(&[&[Says::Nothing, refused]]).0, Err(Error::Unknown), "{why:?}");
    }
    let member = Says::Ends(ChangeOutcome::Unfit(Unfit::AlreadyMember));
    let (ended, _) = change(&[&[Says::Nothing, member]]);
    assert_eq!(ended, Ok(ChangeOutcome::Unfit(Unfit::AlreadyMember)), "all would say so of this configuration");
}

#[test]
fn silence_is_unknown_and_refusals_of_all_are_not() {
    assert_eq!(change(&[&[Says::Nothing], &[Says::Nothing]]).0, Err(Error::Unknown));
    assert_eq!(change(&[&[Says::NoQuorum], &[Says::NoQuorum]]).0, Err(Error::NoQuorum));
    let (ended, asked) = change(&[&[Says::NoQuorum, Says::Nothing], &[Says::NoQuorum, Says::Nothing]]);
    assert_eq!((ended, asked), (Err(Error::Unknown), vec![Some(7)]));
}

#[test]
fn what_was_overtaken_is_asked_for_again_by_the_newer_configuration() {
    let done = Says::Ends(ChangeOutcome::Done { configuration: 9 });
    let (ended, asked) = change(&[&[Says::Ends(ChangeOutcome::Overtaken), done]]);
    assert_eq!((ended, asked), (Ok(ChangeOutcome::Done { configuration: 9 }), vec![Some(7), Some(8)]));
    let (ended, asked) = change(&[&[Says::Ends(ChangeOutcome::Overtaken)]]);
    assert_eq!((ended, asked.len()), (Ok(ChangeOutcome::Overtaken), TRIES));
}

/// The replica that is asked may know of the change before this one, and not that it is proven.
#[test]
fn a_change_waits_for_the_one_before_it() {
    let (busy, done) = (ChangeOutcome::Unfit(Unfit::Busy), ChangeOutcome::Done { configuration: 8 });
    let (ended, asked) = change(&[&[Says::Ends(busy), Says::Ends(busy), Says::Ends(done)]]);
    assert_eq!((ended, asked), (Ok(done), vec![Some(7)]));
}
