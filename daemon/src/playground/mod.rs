//! A playground: several replicas in one process on loopback, to try out what failures do. Each is what a process of
//! its own would be, with a store and addresses of its own; their data goes away with them.
//!
//! ```text
//!  signals ─▶ ┌─ play ─┐ ─ orders ─▶ replica 1, 2, 3 …  (a thread each)
//!  lines   ─▶ └────────┘ ◀─ opened, ended ──┘
//! ```

mod command;
mod grounds;
mod reading;
mod seat;

use crate::ending::Ending;
use crate::orders::{self, Order};
use command::Command;
use ftq_core::ids::{MemberId, MemberSet};
use grounds::Grounds;
use log::LevelFilter;
use seat::Seat;
use smol::channel::{self, Receiver};
use smol::future::FutureExt;

/// More than a cluster can lose three of, and no more than a small machine carries.
pub(crate) const REPLICAS_MAX: u8 = 7;

/// What happens in between is little: who has more to say waits.
const EVENTS_MAX: usize = 16;

/// Something that has happened in the playground.
enum Event {
    /// A line was typed.
    Line(String),
    /// A replica's store is open and its ports are taken.
    Opened(MemberId),
    /// A replica has ended.
    Ended(MemberId, Result<(), Ending>),
}

/// What there is in the playground.
struct Playground {
    seats: Vec<Seat>,
    /// Pairs between whom nothing passes.
    cuts: Vec<(MemberId, MemberId)>,
    /// It ends.
    is_over: bool,
}

/// Plays until it is told to end. Only what goes wrong before the first line is an error.
pub(crate) fn play(replicas: u8, log: Option<LevelFilter>) -> Result<(), Ending> {
    let orders = orders::listen(|| Err(Ending::Config("a playground has no configuration to read".to_owned())))?;
    let grounds = Grounds::make(replicas)?;
    let (say, events) = channel::bounded(EVENTS_MAX);
    let seats = grounds.configurations(log)?.into_iter().map(|config| Seat::new(config, replicas, say.clone()));
    let mut playground = Playground { seats: seats.collect::<Result<_, _>>()?, cuts: Vec::new(), is_over: false };
    playground.open_all(&events)?;
    println!("{}", grounds.greeting(&playground.seats));
    reading::lines(say)?;
    playground.run(&orders, &events);
    Ok(())
}

impl Playground {
    /// Starts all, one after the other.
    fn open_all(&mut self, events: &Receiver<Event>) -> Result<(), Ending> {
        for seat in &mut self.seats {
            seat.start()?;
            match events.recv_blocking() {
                Ok(Event::Ended(_, Err(ending))) => return Err(ending),
                Ok(Event::Opened(_) | Event::Ended(..) | Event::Line(_)) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Until it is over, and nobody runs any more.
    fn run(&mut self, orders: &Receiver<Order>, events: &Receiver<Event>) {
        while !(self.is_over && self.seats.iter().all(|seat| !seat.runs())) {
            let told = async { orders.recv().await.map(|_| None) };
            let happened = async { events.recv().await.map(Some) };
            match smol::block_on(told.or(happened)) {
                // Signals are not heard any more: only a kill ends it.
                Err(_) => return,
                Ok(None) => self.end(),
                Ok(Some(Event::Line(line))) => self.hear(&line),
                Ok(Some(Event::Opened(id))) => println!("replica {id} runs"),
                Ok(Some(Event::Ended(id, ended))) => self.ended(id, ended),
            }
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        self.seats.iter().for_each(|seat| seat.tell(Order::StopNow));
    }

    fn ended(&mut self, id: MemberId, ended: Result<(), Ending>) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.id() == id) {
            seat.has_ended();
        }
        match ended {
            Ok(()) => println!("replica {id} does not run any more"),
            Err(ending) => log::error!("replica {id}: {ending}"),
        }
    }

    /// Does what a line says.
    fn hear(&mut self, line: &str) {
        let all: MemberSet = self.seats.iter().map(Seat::id).collect();
        match Command::read(line, all) {
            Ok(None) => {}
            Ok(Some(command)) => {
                if let Err(why) = self.carry_out(command) {
                    println!("{why}");
                }
            }
            Err(what) => println!("{what}"),
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Help => println!("{}", command::HELP),
            Command::Quit => self.end(),
            Command::Stop(id) => self.running(id)?.tell(Order::Stop),
            Command::Kill(id) => self.running(id)?.tell(Order::StopNow),
            Command::Start(id) => {
                let parted = self.parted(id);
                let seat = self.seat(id)?;
                if seat.runs() {
                    return Err(format!("replica {id} runs"));
                }
                seat.start().map_err(|ending| ending.to_string())?;
                seat.tell(Order::Part(parted));
            }
            Command::Cut(one, others) => {
                self.cuts.extend(others.without(one).iter().map(|other| (one, other)));
                self.part();
                println!("nothing passes between {one} and {}", others.without(one));
            }
            Command::Heal => {
                self.cuts.clear();
                self.part();
                println!("everything passes between all");
            }
        }
        Ok(())
    }

    /// Everybody is told from whom it is cut off.
    fn part(&self) {
        self.seats.iter().for_each(|seat| seat.tell(Order::Part(self.parted(seat.id()))));
    }

    fn parted(&self, from: MemberId) -> MemberSet {
        let ends = self.cuts.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
        ends.filter(|(end, _)| *end == from).map(|(_, other)| other).collect()
    }

    fn running(&mut self, id: MemberId) -> Result<&mut Seat, String> {
        let seat = self.seat(id)?;
        if seat.runs() { Ok(seat) } else { Err(format!("replica {id} does not run: start {id}")) }
    }

    fn seat(&mut self, id: MemberId) -> Result<&mut Seat, String> {
        self.seats.iter_mut().find(|seat| seat.id() == id).ok_or_else(|| format!("there is no replica {id}"))
    }
}
