//! The thread behind a client: its socket, its clock, and the session that decides what to send.
//!
//! Always: a call that was taken ends, with an answer or with an error, at its deadline at the latest.

use crate::error::Error;
use crate::gather::{self, Batch, Gather, Kind, Push};
use crate::options::Options;
use async_channel::{Receiver, Sender};
use async_io::Timer;
use bytes::Bytes;
use ftq_core::machine::Place;
use ftq_core::machine::queues::REQUEST_BYTES_MAX as COMMAND_BYTES_MAX;
use ftq_core::session::client::{self, CallId, Client, Ended, Output};
use ftq_core::session::message::{ClientMessage, Refusal};
use ftq_core::session::table::WINDOW;
use ftq_core::time::Time;
use ftq_net::CLIENT_DATAGRAM_LOOPBACK;
use ftq_net::client::Line;
use ftq_net::clock::Clock;
use ftq_net::socket::{Path, Socket};
use futures_lite::future;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// How many calls may wait to be looked at; a further one waits in its own task.
const ORDERS_MAX: usize = 256;

/// How many calls are looked at at once: a full window, and as many that wait for it.
const CALLS_MAX: usize = 2_048;

/// No path carries less; a piece of a large request has to fit.
const DATAGRAM_MIN: usize = 1_024;

/// How many datagrams are taken before the session is looked at again.
const DATAGRAMS_BUDGET: usize = 64;

/// What the log adds to a command, at most.
const HEAD_BYTES: usize = 64;

/// The largest command or question.
pub(crate) const REQUEST_BYTES_MAX: usize = COMMAND_BYTES_MAX - HEAD_BYTES;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Execute a command.
    Call {
        /// The command.
        command: Bytes,
        /// How long the command itself may wait, beyond the time that a call is tried.
        wait: Duration,
    },
    /// Execute a push, perhaps together with others of its kind.
    Push {
        /// Its kind.
        kind: Kind,
        /// The items.
        items: Vec<Bytes>,
    },
    /// Close the session.
    Close,
    /// Answer a question.
    Read {
        /// Whether the answer may be stale.
        local: bool,
        /// The question.
        question: Bytes,
    },
    /// Tell a replica itself to do something.
    Order {
        /// The question by which it is told.
        question: Bytes,
    },
}

/// How it ended.
pub(crate) type Answer = Result<Said, Error>;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Where it stands in the log.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) bytes: Bytes,
    /// Whether no other copy of the question may have been answered otherwise.
    pub(crate) is_alone: bool,
}

/// Something to do, and who waits for it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) request: Request,
    pub(crate) answer: Sender<Answer>,
}

/// Who waits for a call.
#[derive(Debug)]
enum Waiting {
    One(Sender<Answer>),
    Pushes(Batch),
}

/// Drives one client's session.
struct Driver {
    clock: Clock,
    timeout: Duration,
    servers: Vec<SocketAddr>,
    socket: Socket,
    /// A line to each server, in their order.
    lines: Vec<Line>,
    session: Client,
    orders: Receiver<Order>,
    gather: Gather,
    waiting: BTreeMap<CallId, Waiting>,
    timer: Timer,
    /// When the timer goes off.
    armed: Time,
    /// Whether any server has ever said anything.
    heard: bool,
}

/// Starts a driver in a thread of its own. It ends when the sender is dropped.
pub(crate) fn start(options: Options) -> io::Result<Sender<Order>> {
    let Options { servers, key, datagram, timeout, window } = options;
    let bad = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let on_loopback = |server: &SocketAddr| server.ip().to_canonical().is_loopback();
    if key.is_none()
        && let Some(server) = servers.iter().find(|server| !on_loopback(server))
    {
        return Err(bad(format!("{server} is on another machine, so what it is told has to be sealed: give a key")));
    }
    let Some(first) = servers.first() else { return Err(bad("no server is given".to_owned())) };
    if !(1..=WINDOW).contains(&window) {
        return Err(bad(format!("the window is 1 to {WINDOW}")));
    }
    if let Some(other) = servers.iter().find(|server| server.is_ipv4() != first.is_ipv4()) {
        return Err(bad(format!("{first} and {other}: use IPv4 for all or IPv6 for all")));
    }
    let here = match (first.ip(), servers.iter().all(on_loopback)) {
        (IpAddr::V4(_), true) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        (IpAddr::V4(_), false) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (IpAddr::V6(_), true) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        (IpAddr::V6(_), false) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = Socket::bind((here, 0).into())?;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed)?;
    let line = |server: &SocketAddr| {
        let datagram = if on_loopback(server) { CLIENT_DATAGRAM_LOOPBACK } else { datagram.max(DATAGRAM_MIN) };
        let Some(key) = &key else { return Ok(Line::plain(datagram)) };
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        Ok(Line::sealed(key, random, datagram))
    };
    let lines = servers.iter().map(line).collect::<io::Result<Vec<Line>>>()?;
    let session = client::Options { window, ..client::Options::new(servers.len()) };
    let (orders_in, orders) = async_channel::bounded(ORDERS_MAX);
    let mut driver = Driver {
        clock: Clock::start(),
        timeout,
        servers,
        socket,
        lines,
        session: Client::new(session, u64::from_le_bytes(seed)),
        orders,
        gather: Gather::default(),
        waiting: BTreeMap::new(),
        timer: Timer::never(),
        armed: Time::NEVER,
        heard: false,
    };
    let thread = std::thread::Builder::new().name("ftq-client".to_owned());
    thread.spawn(move || async_io::block_on(driver.run()))?;
    Ok(orders_in)
}

impl Driver {
    async fn run(&mut self) {
        loop {
            self.take_orders();
            let more = self.take_datagrams();
            self.session.tick(self.clock.now());
            self.carry_out();
            self.end_late_pushes();
            self.flush();
            if !more && !self.sleep().await {
                return;
            }
        }
    }

    /// Takes what is asked for, as far as there is room.
    fn take_orders(&mut self) {
        while self.has_room()
            && let Ok(order) = self.orders.try_recv()
        {
            self.take(order);
        }
    }

    fn take(&mut self, Order { request, answer }: Order) {
        let now = self.clock.now();
        let deadline = self.clock.after(self.timeout);
        let call = match request {
            Request::Push { kind, items } => {
                self.gather.add(kind, Push { items, deadline, answer });
                return self.push_gathered();
            }
            Request::Call { command, wait } => {
                self.session.call(now, self.clock.after(self.timeout.saturating_add(wait)), command)
            }
            Request::Close => self.session.close(now, deadline),
            Request::Read { local, question } => self.session.read(now, deadline, local, question),
            Request::Order { question } => self.session.order(now, deadline, question),
        };
        self.waiting.insert(call, Waiting::One(answer));
    }

    fn has_room(&self) -> bool {
        self.session.open_calls() + self.gather.waiting() < CALLS_MAX
    }

    /// Sends the pushes that need not wait for others any more.
    fn push_gathered(&mut self) {
        let now = self.clock.now();
        self.end_late_pushes();
        while let Some(batch) = self.gather.next(now) {
            if let Some(why) = batch.is_over(now) {
                self.gather.ended(batch.kind);
                batch.tell(&gather::no(why));
            } else {
                let call = self.session.call(now, batch.deadline(), batch.command());
                self.waiting.insert(call, Waiting::Pushes(batch));
            }
        }
    }

    /// A request with pushes has ended: what has waited for it goes, and the parts of it that have to be tried again.
    fn pushed(&mut self, batch: Batch, answer: Answer) {
        self.gather.ended(batch.kind);
        if let Err(error @ (Error::NoQuorum | Error::Unreachable | Error::DiskFull | Error::Busy)) = answer {
            for push in self.gather.hopeless(batch.kind, self.clock.now()) {
                gather::unsent(&push, error);
            }
        }
        for half in batch.end(answer) {
            self.gather.again(half);
        }
        self.push_gathered();
    }

    /// Ends the pushes whose time has run out before they could go.
    fn end_late_pushes(&mut self) {
        for push in self.gather.late(self.clock.now()) {
            gather::unsent(&push, self.unsent());
        }
    }

    /// Why nothing was sent.
    fn unsent(&self) -> Error {
        if self.heard { Error::NoQuorum } else { Error::Unreachable }
    }

    /// Takes what servers say; whether there may be more.
    fn take_datagrams(&mut self) -> bool {
        for _ in 0..DATAGRAMS_BUDGET {
            let Some(received) = self.socket.receive() else { return false };
            // A server that is not running, perhaps: that is no datagram.
            let Ok((datagram, path)) = received else { continue };
            let Some(server) = self.servers.iter().position(|server| *server == path.remote) else { continue };
            let now = self.clock.now();
            let Some(message) = self.lines[server].receive(now, Bytes::copy_from_slice(datagram)) else { continue };
            self.heard = true;
            self.session.receive(now, server, message);
        }
        true
    }

    /// Does what the session wants done.
    fn carry_out(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.session.poll(now) {
            match output {
                Output::Send { server, message } => self.send(now, server, &message),
                Output::Done { call, ended } => {
                    let answer = self.judge(ended);
                    match self.waiting.remove(&call) {
                        // Who asked may have gone.
                        Some(Waiting::One(waiting)) => drop(waiting.try_send(answer)),
                        Some(Waiting::Pushes(batch)) => self.pushed(batch, answer),
                        None => {}
                    }
                }
            }
        }
    }

    fn send(&mut self, now: Time, server: usize, message: &ClientMessage) {
        if let Some(line) = self.lines.get_mut(server) {
            line.send(now, message);
        }
    }

    /// Hands everything to the system.
    fn flush(&mut self) {
        let now = self.clock.now();
        for (line, server) in self.lines.iter_mut().zip(&self.servers) {
            if line.deadline().is_some_and(|at| at <= now) {
                line.tick(now);
            }
            while let Some(datagram) = line.poll() {
                self.socket.send(&datagram, Path::to(*server));
            }
        }
        self.socket.flush();
    }

    fn judge(&self, ended: Ended) -> Answer {
        match ended {
            Ended::Answered { place, answer } => Ok(Said { place, bytes: answer, is_alone: true }),
            Ended::Read { slot, answer, is_alone } => {
                Ok(Said { place: Place { slot, position: 0 }, bytes: answer, is_alone })
            }
            Ended::Refused(Refusal::NoQuorum) => Err(Error::NoQuorum),
            Ended::Refused(Refusal::NotAllowed) => Err(Error::NotAllowed),
            Ended::Refused(Refusal::DiskFull) => Err(Error::DiskFull),
            Ended::Refused(Refusal::Busy { after_ms: _ }) => Err(Error::Busy),
            Ended::Refused(Refusal::TooLarge) => Err(Error::TooLarge { bytes_max: REQUEST_BYTES_MAX }),
            Ended::Unsent => Err(self.unsent()),
            Ended::Expired => Err(Error::Expired),
            Ended::Unknown => Err(Error::Unknown),
            Ended::Closed => Ok(Said { place: Place::default(), bytes: Bytes::new(), is_alone: true }),
        }
    }

    /// Until something is asked for or said, or the session wants to be called, or a little before that;
    /// whether anybody can still ask.
    async fn sleep(&mut self) -> bool {
        let lines = self.lines.iter().filter_map(Line::deadline);
        let others = self.session.deadline().into_iter().chain(self.gather.deadline());
        let deadline = lines.chain(others).min().unwrap_or(Time::NEVER);
        // An earlier call does no harm, and each setting of the timer costs the reactor a wake-up.
        if deadline < self.armed {
            self.armed = deadline;
            self.timer = self.clock.instant(deadline).map_or_else(Timer::never, Timer::at);
        }
        let room = self.has_room();
        let mut asked = pin!(self.orders.recv());
        let woken = future::poll_fn(|context| {
            if room && let Poll::Ready(order) = asked.as_mut().poll(context) {
                return Poll::Ready(Some(order));
            }
            let readable = self.socket.poll_readable(context).is_ready();
            let due = Pin::new(&mut self.timer).poll(context).is_ready();
            if due {
                self.armed = Time::NEVER;
            }
            if due || readable { Poll::Ready(None) } else { Poll::Pending }
        });
        match woken.await {
            Some(Ok(order)) => self.take(order),
            Some(Err(_)) => return false,
            None => {}
        }
        true
    }
}
