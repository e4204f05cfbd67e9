//! Dead letters: what came back too often.

use super::{Asked, items};
use crate::arguments::{DeadCommand, DeadList, DeadRetry};
use crate::failure::Failure;
use crate::words::QueueName;
use ftq_client::QueueId;

pub(super) fn perform(asked: &Asked, command: &DeadCommand) -> Result<(), Failure> {
    match command {
        DeadCommand::List(DeadList { queue, count }) => {
            let dead = dead_letters(asked, queue)?;
            items::seen(asked, dead, &QueueName::Id(dead), (0, 0), *count)
        }
        DeadCommand::Retry(DeadRetry { queue, count }) => {
            let dead = dead_letters(asked, queue)?;
            let items = asked.client.send_back(dead, *count);
            asked.out.value("items", items.map_err(|error| Failure::of(QueueName::Id(dead), error))?.into())
        }
    }
}

/// Where the dead letters of a queue go.
fn dead_letters(asked: &Asked, name: &QueueName) -> Result<QueueId, Failure> {
    let queue = asked.queue(name)?;
    let settings = asked.client.statistics(queue).map_err(|error| Failure::of(name, error))?.settings;
    settings.dead_letters.ok_or_else(|| {
        let what = "there is no queue for its dead letters; `ftqctl set --deliveries N --dead QUEUE` names one";
        Failure::No(format!("{name}: {what}"))
    })
}
