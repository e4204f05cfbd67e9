//! What the operator wants while the daemon runs, as signals: SIGTERM and SIGINT to stop, once more to stop at
//! once, SIGHUP to read the configuration again.

use crate::ending::Ending;
use async_signal::{Signal, Signals};
use smol::channel::{self, Receiver};
use smol::stream::StreamExt;
use std::thread;

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Hand over, and stop.
    Stop,
    /// Stop at once.
    StopNow,
    /// Read again what can change while the daemon runs.
    Reload,
}

/// More orders than an operator has before the loop comes round; what is more is dropped.
const ORDERS_MAX: usize = 16;

/// Listens from now on, for so many replicas: each is told everything.
pub(crate) fn listen(replicas: usize) -> Result<Vec<Receiver<Order>>, Ending> {
    let refused = |error| Ending::System { doing: "listen to signals", error };
    let mut signals = Signals::new([Signal::Term, Signal::Int, Signal::Hup]).map_err(refused)?;
    let (tell, told): (Vec<_>, Vec<_>) = (0..replicas).map(|_| channel::bounded(ORDERS_MAX)).unzip();
    let work = move || {
        smol::block_on(async {
            let mut is_told = false;
            while let Some(signal) = signals.next().await {
                let order = match signal {
                    Ok(Signal::Hup) => Order::Reload,
                    Ok(_) if is_told => Order::StopNow,
                    Ok(_) => Order::Stop,
                    Err(error) => {
                        log::error!("signals are not heard any more: {error}");
                        return;
                    }
                };
                is_told |= order == Order::Stop;
                for replica in &tell {
                    // Full, or gone: there is nobody to tell.
                    let _ = replica.try_send(order);
                }
            }
        });
    };
    thread::Builder::new().name("ftq-signals".to_owned()).spawn(work).map_err(refused)?;
    Ok(told)
}
