//! What the operator wants while the daemon runs, as signals: SIGTERM and SIGINT to stop, once more to stop at
//! once, SIGHUP to read the configuration again. In a playground there are more ways to say it.

use crate::config::Config;
use crate::ending::Ending;
use async_signal::{Signal, Signals};
use ftq_core::ids::MemberSet;
use ftq_net::keys::Keys;
use smol::channel::{self, Receiver};
use smol::stream::StreamExt;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Hand over, and stop.
    Stop,
    /// Stop at once.
    StopNow,
    /// The configuration and the keys were read again: what can change while the daemon runs does.
    Reload(Arc<(Config, Keys)>),
    /// As if the network between here and these members, and no others, were cut.
    Part(MemberSet),
}

/// More orders than an operator has before the loop comes round; what is more is dropped.
pub(crate) const ORDERS_MAX: usize = 16;

/// Who is told to stop at once, and has not come round to it after so long, is ended.
const AT_ONCE_WITHIN: Duration = Duration::from_secs(1);

/// As long as this is there, a write beyond the limit of a file's size is an error like any other, and no end.
pub(crate) fn outlive_file_limits() -> Result<Signals, Ending> {
    Signals::new([Signal::Xfsz]).map_err(|error| Ending::System { doing: "listen to signals", error })
}

/// Listens from now on. `read` reads the configuration again.
pub(crate) fn listen(
    read: impl Fn() -> Result<(Config, Keys), Ending> + Send + 'static,
) -> Result<Receiver<Order>, Ending> {
    let refused = |error| Ending::System { doing: "listen to signals", error };
    let mut signals = Signals::new([Signal::Term, Signal::Int, Signal::Hup, Signal::Xfsz]).map_err(refused)?;
    let (tell, told) = channel::bounded(ORDERS_MAX);
    let work = move || {
        smol::block_on(async {
            let mut is_told = false;
            while let Some(signal) = signals.next().await {
                let order = match signal {
                    // A file is read here, so that the loop does not wait for it.
                    Ok(Signal::Hup) => match read() {
                        Ok(read) => Order::Reload(Arc::new(read)),
                        Err(ending) => {
                            log::error!("told to read the configuration again, and nothing changes: {ending}");
                            continue;
                        }
                    },
                    // The write that went beyond the limit says so itself; who does not listen to the signal is killed.
                    Ok(Signal::Xfsz) => continue,
                    Ok(_) if is_told => Order::StopNow,
                    Ok(_) => Order::Stop,
                    Err(error) => {
                        log::error!("signals are not heard any more: {error}");
                        // Who waits for orders waits on.
                        return smol::future::pending().await;
                    }
                };
                is_told |= order == Order::Stop;
                // Full, or gone: there is nobody to tell.
                let _ = tell.try_send(order.clone());
                if order == Order::StopNow {
                    // A store that is being opened or closed takes no orders, and a disk may hang for ever.
                    smol::Timer::after(AT_ONCE_WITHIN).await;
                    log::warn!("told to stop again, and the disk does not let go: ends all the same");
                    process::exit(0);
                }
            }
        });
    };
    thread::Builder::new().name("ftq-signals".to_owned()).spawn(work).map_err(refused)?;
    Ok(told)
}
