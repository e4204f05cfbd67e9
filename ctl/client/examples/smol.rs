//! Many pushes at once under smol.

use ftq_client::{Client, Error, No, Options};

/// Many pushes at once, by one client, and pops until there is nothing more.
pub async fn letters(options: Options) -> Result<u64, Box<dyn std::error::Error>> {
    let client = Client::open(options)?;
    let queue = client.create("letters").await?;
    let executor = smol::Executor::new();
    let pushes: Vec<smol::Task<Result<u64, Error>>> = (0..100)
        .map(|number| {
            let client = client.clone();
            executor.spawn(async move { client.push(queue, [format!("letter {number}")]).await })
        })
        .collect();
    executor
        .run(async {
            for push in pushes {
                push.await?;
            }
            Ok::<(), Error>(())
        })
        .await?;
    let mut popped = 0;
    loop {
        match client.pop(queue).await {
            Ok(_letter) => popped += 1,
            Err(Error::No(No::Empty)) => return Ok(popped),
            Err(error) => return Err(error.into()),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{} letters", smol::block_on(letters(Options::default()))?);
    Ok(())
}
