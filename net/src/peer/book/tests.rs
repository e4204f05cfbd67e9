//! Books on a network of addresses: who learns what, and what moves nobody.

use super::*;
use std::collections::BTreeMap;

const CLUSTER: ClusterId = ClusterId([1; 16]);

fn member(n: u8) -> MemberId {
    MemberId::new(n).expect("an id")
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Where member `n` is, unless a test says otherwise.
fn home(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 7411))
}

fn book(n: u8, run: u8, own: Option<SocketAddr>) -> Book {
    let keeper = Keeper { cluster: CLUSTER, me: member(n), boot: BootId([run; 16]), own, is_ipv4: true };
    Book::new(keeper, &[run; 32])
}

/// Books at their addresses, with all that was sent.
#[derive(Default)]
struct World {
    now: Time,
    books: BTreeMap<SocketAddr, Book>,
    sent: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// What each has to say beside, by where it is.
    said: Vec<(SocketAddr, Notice)>,
}

impl World {
    /// Members of a cluster that are configured with each other's addresses.
    fn of(members: impl IntoIterator<Item = u8> + Clone) -> World {
        let mut world = World::default();
        for me in members.clone() {
            let mut book = book(me, me, Some(home(me)));
            members.clone().into_iter().filter(|n| *n != me).for_each(|n| book.configure(member(n), home(n)));
            world.books.insert(home(me), book);
        }
        world
    }

    /// One that joins by the address of the first member.
    fn join(&mut self, n: u8, run: u8, own: SocketAddr) {
        let mut book = book(n, run, Some(own));
        book.join(self.now, home(1).to_string(), Some(home(1)));
        self.books.insert(own, book);
    }

    fn run(&mut self, seconds: u64) {
        let until = self.now + Span::secs(seconds);
        while self.now < until {
            self.now += Span::millis(100);
            let places: Vec<SocketAddr> = self.books.keys().copied().collect();
            for place in places {
                self.books.get_mut(&place).expect("it is there").tick(self.now);
                self.pass(place);
            }
        }
    }

    /// What is said at a place arrives, and what that brings about.
    fn pass(&mut self, place: SocketAddr) {
        while let Some(notice) = self.books.get_mut(&place).and_then(Book::poll) {
            match notice {
                Notice::Say { path, packet } => {
                    self.sent.push((place, path.remote, packet.clone()));
                    self.arrive(place, path.remote, &packet);
                }
                other @ (Notice::Met { .. } | Notice::Taken { .. } | Notice::Warning(_)) => {
                    self.said.push((place, other))
                }
            }
        }
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, packet: &[u8]) {
        if let Some(book) = self.books.get_mut(&to) {
            book.hear(self.now, Path::to(from), packet);
            self.pass(to);
        }
    }

    fn knows(&self, place: SocketAddr) -> Vec<(u8, SocketAddr)> {
        let mut known: Vec<_> = self.books[&place].addresses().map(|(member, at)| (member.number(), at)).collect();
        known.sort_unstable();
        known
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |(_, notice): &(SocketAddr, Notice)| match notice {
            Notice::Warning(warning) => Some(warning.to_string()),
            Notice::Say { .. } | Notice::Met { .. } | Notice::Taken { .. } => None,
        };
        self.said.iter().filter_map(warning).collect()
    }

    fn is_taken(&self, place: SocketAddr) -> bool {
        self.said.iter().any(|(at, notice)| *at == place && matches!(notice, Notice::Taken { .. }))
    }
}

fn homes(of: impl IntoIterator<Item = u8>) -> Vec<(u8, SocketAddr)> {
    of.into_iter().map(|n| (n, home(n))).collect()
}

#[test]
fn one_address_leads_to_all_and_all_learn_of_who_came() {
    let mut world = World::of([1, 2, 3]);
    world.run(60);
    assert_eq!(world.sent.len(), 0, "who has all in a file asks nobody");
    world.join(4, 44, home(4));
    world.run(1);
    world.join(5, 55, home(5));
    world.run(2);
    for n in 1..=5 {
        assert_eq!(world.knows(home(n)), homes((1..=5).filter(|other| *other != n)), "{n}");
    }
    let before = world.sent.len();
    world.run(100);
    // Ten rounds in which 4 asks four and 5 too, the three ask two; an answer to each.
    assert!(world.sent.len() - before <= 10 * 14 * 2 + 28, "{}", world.sent.len() - before);
    assert!(world.warnings().is_empty());
    assert!(world.sent.iter().all(|(.., packet)| packet.len() == HEADER_BYTES + INTRODUCTION_BYTES));
}

#[test]
fn what_was_learned_leads_back_without_the_first_address() {
    let mut world = World::of([1, 2, 3]);
    world.join(4, 44, home(4));
    world.run(2);
    let learned: Vec<_> = world.books[&home(4)].learned().collect();
    let of_two: Vec<_> = world.books[&home(2)].learned().collect();
    assert_eq!(of_two, [(member(4), home(4))], "what is configured is not learned");
    world.books.remove(&home(1));
    world.join(4, 45, at("192.0.2.44:7411"));
    let mut two = book(2, 22, Some(home(2)));
    two.configure(member(3), home(3));
    of_two.iter().for_each(|(member, address)| two.remember(world.now, *member, *address));
    world.books.insert(home(2), two);
    world.books.remove(&home(4));
    let four = world.books.get_mut(&at("192.0.2.44:7411")).expect("it is there");
    learned.iter().for_each(|(member, address)| four.remember(world.now, *member, *address));
    world.run(5);
    assert_eq!(world.knows(at("192.0.2.44:7411")), homes([2, 3]));
    for n in [2, 3] {
        assert!(world.knows(home(n)).contains(&(4, at("192.0.2.44:7411"))), "it came back elsewhere: {n}");
    }
    assert!(world.warnings().is_empty(), "{:?}", world.warnings());
}

/// Everything that was ever sent comes again, from elsewhere and from where it was: nobody is moved, nobody learns, and
/// never does more go out than came.
#[test]
fn what_is_recorded_moves_nobody() {
    let mut world = World::of([1, 2, 3]);
    world.join(4, 44, home(4));
    world.run(2);
    let before: Vec<_> = (1..=4).map(|n| world.knows(home(n))).collect();
    let record = world.sent.clone();
    world.now += Span::secs(4);
    world.said.clear();
    let elsewhere = at("198.51.100.9:7411");
    for (from, to, packet) in record {
        for from in [elsewhere, from] {
            let sent = world.sent.len();
            world.books.get_mut(&to).expect("it is there").hear(world.now, Path::to(from), &packet);
            let answers: Vec<_> = std::iter::from_fn(|| world.books.get_mut(&to).and_then(Book::poll)).collect();
            assert!(answers.len() <= 1, "{answers:?}");
            assert!(
                answers.iter().all(|answer| matches!(answer, Notice::Say { path, packet: said }
                if path.remote == from && said.len() <= packet.len())),
                "{answers:?}"
            );
            assert_eq!(world.sent.len(), sent);
        }
    }
    let after: Vec<_> = (1..=4).map(|n| world.knows(home(n))).collect();
    assert_eq!(before, after);
}

/// Somebody between two passes on what both say, as if it came from there: who says where it is stays there.
#[test]
fn who_passes_on_what_others_say_does_not_come_between_them() {
    let mut world = World::of([1]);
    world.books.insert(home(4), book(4, 44, Some(home(4))));
    let between = at("198.51.100.9:7411");
    let one = world.books.get_mut(&home(1)).expect("it is there");
    one.remember(Time(0), member(4), between);
    one.tick(Time(0));
    let Some(Notice::Say { packet, .. }) = one.poll() else { panic!("it asks") };
    let four = world.books.get_mut(&home(4)).expect("it is there");
    four.hear(Time(0), Path::to(between), &packet);
    let Some(Notice::Say { packet, .. }) = four.poll() else { panic!("it answers") };
    let one = world.books.get_mut(&home(1)).expect("it is there");
    one.hear(Time(0), Path::to(between), &packet);
    while one.poll().is_some() {}
    assert_eq!(one.addresses().count(), 0);
    world.run(2);
    assert_eq!(world.knows(home(1)), homes([4]));
}

#[test]
fn what_is_configured_stays() {
    let mut world = World::of([1, 2]);
    let mut two = book(2, 22, None);
    two.join(Time(0), "one:7411".to_owned(), None);
    two.resolve(Time(0), "one:7411", home(1));
    world.books.insert(at("192.0.2.22:7411"), two);
    world.run(5);
    assert!(world.knows(home(1)).contains(&(2, home(2))));
}

/// The second of two with one id ends before it has spoken, and where it is nobody looks for the member.
#[test]
fn who_has_the_id_of_somebody_who_runs_does_not_begin() {
    let mut world = World::of([1, 2, 3]);
    world.join(4, 44, home(4));
    world.run(30);
    let other = at("192.0.2.44:7411");
    world.join(4, 45, other);
    world.run(5);
    assert!(world.is_taken(other) && !world.is_taken(home(4)));
    assert!(!world.said.iter().any(|(at, notice)| *at == other && matches!(notice, Notice::Met { .. })));
    for n in 1..=3 {
        assert!(world.knows(home(n)).contains(&(4, home(4))), "{n}");
    }
    let rivals = world.warnings();
    assert!(rivals.iter().any(|line| line.contains("at 192.0.2.4:7411, which it stays, and at 192.0.2.44:7411")));
    let doubles: Vec<_> = rivals.iter().filter(|line| line.contains("is member 4 too, at 192.0.2.44:7411")).collect();
    assert_eq!(doubles.len(), 1, "{rivals:?}");
}

/// Nor if the first question to the one that runs is lost.
#[test]
fn who_may_have_the_id_is_asked_more_than_once() {
    let mut world = World::of([1, 2, 3]);
    world.join(4, 44, home(4));
    world.run(30);
    let first = world.books.remove(&home(4)).expect("it is there");
    let other = at("192.0.2.44:7411");
    world.join(4, 45, other);
    world.run(1);
    world.books.insert(home(4), first);
    world.run(5);
    assert!(world.is_taken(other) && !world.is_taken(home(4)));
    assert!(!world.said.iter().any(|(at, notice)| *at == other && matches!(notice, Notice::Met { .. })));
}

/// Nor if whoever is asked has only just begun, and remembers the one that runs without having heard it yet.
#[test]
fn nor_does_who_has_the_id_of_somebody_who_is_remembered() {
    let mut world = World::of([1]);
    world.books.get_mut(&home(1)).expect("it is there").remember(Time(0), member(4), home(4));
    world.books.insert(home(4), book(4, 44, Some(home(4))));
    let other = at("192.0.2.44:7411");
    world.join(4, 45, other);
    // It asks before the first member has asked anybody.
    world.books.get_mut(&other).expect("it is there").tick(Time(1));
    world.pass(other);
    world.run(5);
    assert!(world.is_taken(other) && !world.is_taken(home(4)));
    assert_eq!(world.knows(home(1)), homes([4]));
}

/// The same, but the member that has the id is not configured as a name of this one: it has a file.
#[test]
fn nor_does_who_has_the_id_of_a_member_that_is_configured() {
    let mut world = World::of([1, 2, 3]);
    let other = at("192.0.2.22:7411");
    world.join(2, 99, other);
    world.run(3);
    assert!(world.is_taken(other));
}

#[test]
fn who_hears_nobody_says_so_once_in_a_while() {
    let mut world = World::default();
    world.join(4, 44, home(4));
    world.run(700);
    let lines = world.warnings();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("nobody answers at 192.0.2.1:7411 (`join`): does"), "{lines:?}");
    assert!((690..710).contains(&world.sent.len()), "once a second: {}", world.sent.len());
}

#[test]
fn what_is_kept_is_bounded_and_who_is_there_keeps_its_place() {
    let mut world = World::of([1]);
    world.join(4, 44, home(4));
    world.run(2);
    let one = world.books.get_mut(&home(1)).expect("it is there");
    for n in 5..=63 {
        one.remember(world.now, member(n), home(n));
    }
    assert_eq!(one.learned().count(), LEARNED_MAX);
    assert!(one.learned().any(|known| known == (member(4), home(4))));
    // Nor is more told than there is room for.
    for n in 5..=63 {
        one.configure(member(n), home(n));
    }
    one.tick(world.now + Span::secs(10));
    assert!(matches!(one.poll(), Some(Notice::Say { .. })));
}

#[test]
fn nonsense_is_counted() {
    let mut one = book(1, 1, Some(home(1)));
    for length in [0, HEADER_BYTES, HEADER_BYTES + INTRODUCTION_BYTES] {
        one.hear(Time(0), Path::to(home(2)), &vec![0; length]);
    }
    assert_eq!((one.malformed(), one.poll()), (3, None));
}

#[test]
fn an_address_is_written_as_the_socket_needs_it() {
    let keeper = Keeper { cluster: CLUSTER, me: member(1), boot: BootId([1; 16]), own: None, is_ipv4: false };
    let six = Book::new(keeper, &[1; 32]);
    assert_eq!(six.reachable(home(4)), Some(at("[::ffff:192.0.2.4]:7411")));
    let four = book(1, 1, None);
    assert_eq!(four.reachable(at("[::ffff:192.0.2.4]:7411")), Some(home(4)));
    assert_eq!(four.reachable(at("[2001:db8::1]:7411")), None);
}

/// Nobody can be asked before its name means something, and that is no reason to look again and again.
#[test]
fn a_name_that_means_nothing_is_waited_for() {
    let mut book = book(4, 4, Some(home(4)));
    let now = Time(1_000_000);
    book.join(now, "queue-1.example.org:7411".to_owned(), None);
    book.tick(now);
    assert!(book.poll().is_none() && book.deadline() > now + Span::secs(1), "{:?}", book.deadline());
    book.resolve(now, "queue-1.example.org:7411", home(1));
    book.tick(now);
    assert!(matches!(book.poll(), Some(Notice::Say { path, .. }) if path.remote == home(1)));
}

/// Somebody was started with its number while it was away: it comes back, says so and goes on.
#[test]
fn who_has_a_seat_gives_way_to_nobody() {
    let mut world = World::of([1, 2, 3]);
    let elsewhere = at("192.0.2.44:7411");
    world.join(4, 44, elsewhere);
    world.run(5);
    let mut seated = book(4, 4, Some(home(4)));
    seated.join(world.now, home(1).to_string(), Some(home(1)));
    seated.seat();
    world.books.insert(home(4), seated);
    world.run(10);
    let said: Vec<&Notice> = world.said.iter().filter(|(place, _)| *place == home(4)).map(|(_, said)| said).collect();
    assert!(!said.iter().any(|it| matches!(it, Notice::Taken { .. })), "{said:?}");
    assert!(said.iter().any(|it| matches!(it, Notice::Met { .. })), "{said:?}");
}

/// Somebody else answers first, in its name: whoever stands in the file of the addresses has its time before that counts.
#[test]
fn who_is_remembered_stays_where_it_was_although_another_one_answers_first() {
    for is_late in [false, true] {
        let mut world = remembering();
        let four = book(4, 44, Some(home(4)));
        if is_late {
            // The first question to it is lost.
            world.run(1);
        }
        world.books.insert(home(4), four);
        world.run(5);
        assert_eq!(world.knows(home(2)), homes([1, 4]), "{is_late}");
        let lines = world.warnings();
        let stays = |line: &String| line.contains("4: at 192.0.2.4:7411, which it stays, and at 10.0.0.44:7411");
        assert!(lines.iter().any(stays), "{is_late}: {lines:?}");
        let met = Notice::Met { member: member(4), is_new: true };
        assert_eq!(world.said.iter().filter(|said| **said == (home(2), met.clone())).count(), 1, "{is_late}");
    }
}

/// The same, but nobody is there any more: it has come to be elsewhere.
#[test]
fn who_is_remembered_and_gone_is_found_elsewhere_after_its_time() {
    let mut world = remembering();
    world.run(1);
    assert_eq!(world.knows(home(2)), homes([1]));
    world.run(2);
    assert_eq!(world.knows(home(2)), [(1, home(1)), (4, at("10.0.0.44:7411"))]);
    assert!(world.warnings().is_empty(), "{:?}", world.warnings());
}

/// The second member was started again, and remembers the fourth at its home. Somebody elsewhere who has a seat as the
/// fourth asks the second before that has asked anybody.
fn remembering() -> World {
    let mut world = World::of([1, 2]);
    let two = world.books.get_mut(&home(2)).expect("it is there");
    two.remember(Time(0), member(4), home(4));
    let elsewhere = at("10.0.0.44:7411");
    world.join(4, 45, elsewhere);
    let other = world.books.get_mut(&elsewhere).expect("it is there");
    other.seat();
    other.remember(Time(0), member(2), home(2));
    world
}
