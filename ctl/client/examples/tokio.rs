//! Numbers and pushes from many tasks under tokio.

use ftq_client::{Client, Error, No, Options};

/// Numbers that nobody else gets, drawn by many tasks, and a push whose outcome can be unknown.
pub async fn invoices(options: Options) -> Result<u64, Box<dyn std::error::Error>> {
    let client = Client::open(options)?;
    let queue = client.create("invoices").await?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = client.clone();
        tasks.spawn(async move {
            let number = client.get_ids("invoice", 1).await?.start;
            client.push(queue, [format!("invoice {number}")]).await.map(|_| number)
        });
    }
    let mut highest = 0;
    while let Some(drawn) = tasks.join_next().await {
        match drawn? {
            Ok(number) => highest = highest.max(number),
            // It may be in the queue. Whoever must know pushes with a key, and may then push again.
            Err(Error::Unknown) => {}
            Err(Error::No(No::QueueFull)) => eprintln!("full"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(highest)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("up to {}", runtime.block_on(invoices(Options::default()))?);
    Ok(())
}
