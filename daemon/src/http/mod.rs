//! A small HTTP/1.1 server for whoever watches: `/metrics`, `/livez`, `/readyz`.
//!
//! It has a thread of its own and knows the loop by its [`Board`] alone, so nothing that comes in here can hold
//! the replica up. One request for each connection, of bounded length, in bounded time, on a bounded number of
//! connections; whoever is slower or says more is cut off.

mod pages;
mod request;

use crate::board::Board;
use crate::config::Address;
use crate::ending::Ending;
use crate::socket::meaning;
use request::{Request, Unread};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::Semaphore;
use smol::{Async, LocalExecutor, Timer, future};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Connections at once; more wait in the system's queue, and are refused there when that is full.
const CONNECTIONS_MAX: usize = 32;

/// How long one may take, from the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait when a connection can't be taken, for want of a descriptor as a rule.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves at this address from now on.
pub(crate) fn serve(address: &Address, board: Board) -> Result<(), Ending> {
    let refused = |error| Ending::Address { port: "http", address: address.clone(), error };
    let listener = meaning(address).and_then(Async::<TcpListener>::bind).map_err(refused)?;
    let spawned = thread::Builder::new().name("ftq-http".to_owned()).spawn(move || run(&listener, &board));
    spawned.map(drop).map_err(|error| Ending::System { doing: "start a thread", error })
}

fn run(listener: &Async<TcpListener>, board: &Board) {
    let executor = LocalExecutor::new();
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    smol::block_on(executor.run(async {
        loop {
            let seat = seats.acquire_arc().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    let board = board.clone();
                    executor
                        .spawn(async move {
                            let late = async {
                                Timer::after(PATIENCE).await;
                                Err(io::ErrorKind::TimedOut.into())
                            };
                            if let Err(error) = future::or(answer(stream, &board), late).await {
                                log::debug!("http: {error}");
                            }
                            drop(seat);
                        })
                        .detach();
                }
                Err(error) => {
                    log::debug!("http: {error}");
                    Timer::after(PAUSE).await;
                }
            }
        }
    }));
}

/// One request, one answer.
async fn answer(mut stream: Async<TcpStream>, board: &Board) -> io::Result<()> {
    let mut head = Vec::new();
    let page = loop {
        let mut more = [0; 1_024];
        let n = stream.read(&mut more).await?;
        head.extend_from_slice(&more[..n]);
        match Request::read(&head) {
            Ok(request) => break pages::page(&request, board),
            Err(Unread::Unfinished) if n == 0 => return Ok(()),
            Err(Unread::Unfinished) => {}
            Err(Unread::Refused(status)) => break pages::refusal(status),
        }
    };
    stream.write_all(page.as_bytes()).await?;
    stream.close().await
}
