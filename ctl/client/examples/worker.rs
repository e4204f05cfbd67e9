//! A worker without an executor.

use ftq_client::{Blocking, Options, Worked};
use std::time::Duration;

/// Does all that there is to do: what fails is sent back, and a lease is kept as long as its item takes.
pub fn work(options: Options) -> Result<usize, Box<dyn std::error::Error>> {
    let client = Blocking::open(options)?;
    let queue = client.create("jobs")?;
    client.push(queue, ["sweep", "wash", "dry"])?;
    let worker = client.worker(queue).lease(Duration::from_secs(10)).wait(Duration::ZERO);
    let mut done = 0;
    loop {
        let worked = worker
            .one_blocking(|job| if job.item == "wash" && job.deliveries == 1 { Err("no water") } else { Ok(()) })?;
        match worked {
            Worked::Nothing if done == 3 => return Ok(done),
            Worked::Nothing | Worked::SentBack | Worked::Late => {}
            Worked::Done => done += 1,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{} jobs done", work(Options::default())?);
    Ok(())
}
