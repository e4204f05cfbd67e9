//! The operations, one call of the client library each (two where a queue is named by its label).

use crate::Failure;
use crate::arguments::{Arguments, Command, QueueName};
use crate::exit;
use crate::status;
use ftq_client::{Blocking, Error, Options, QueueId};
use std::io::{self, Write};
use std::time::Duration;

/// Performs the command.
pub(crate) fn perform(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { server, key, timeout, command } = arguments;
    if let Command::Key(it) = &command {
        return crate::key::perform(&it.command);
    }
    let key = match key.map(|path| ftq_client::key(&path)).transpose() {
        Ok(key) => key,
        Err(error) => return Err(Failure::Usage(error.to_string())),
    };
    let timeout = Duration::from_secs_f64(timeout);
    let options = Options { servers: server, key, timeout, ..Options::default() };
    if let Command::Status(_) = command {
        return status::show(&options);
    }
    let client = Blocking::open(options).map_err(|error| Failure::Unreachable(format!("no socket: {error}")))?;
    match command {
        Command::Create(it) => say(client.create(&it.label).map_err(named(&it.label))?),
        Command::Id(it) => say(client.id(&it.label).map_err(named(&it.label))?),
        Command::Push(it) => {
            if it.items.is_empty() {
                return Err(Failure::Usage("push: give at least one item".to_owned()));
            }
            let queue = resolve(&client, &it.queue)?;
            client.push(queue, it.items).map_err(named(&it.queue)).map(drop)
        }
        Command::Pop(it) => {
            let queue = resolve(&client, &it.queue)?;
            print_item(&client.pop(queue).map_err(named(&it.queue))?)
        }
        Command::Top(it) => {
            let queue = resolve(&client, &it.queue)?;
            print_item(&client.top(queue).map_err(named(&it.queue))?)
        }
        Command::Size(it) => {
            let queue = resolve(&client, &it.queue)?;
            say(client.size(queue).map_err(named(&it.queue))?)
        }
        Command::Destroy(it) => {
            let queue = resolve(&client, &it.queue)?;
            client.destroy(queue).map_err(named(&it.queue)).map(drop)
        }
        Command::GetId(it) => {
            let ids = client.get_ids(&it.name, it.count).map_err(named(&it.name))?;
            ids.into_iter().try_for_each(say)
        }
        Command::Status(_) | Command::Key(_) => Ok(()),
    }
}

/// The queue's id, asked for if it was named by its label.
fn resolve(client: &Blocking, queue: &QueueName) -> Result<QueueId, Failure> {
    match queue {
        QueueName::Id(id) => Ok(*id),
        QueueName::Label(label) => client.id(label).map_err(named(label)),
    }
}

/// What went wrong, with the name of what it went wrong with.
fn named<N: ToString>(name: &N) -> impl FnOnce(Error) -> Failure {
    let name = name.to_string();
    move |error| failure(&name, error)
}

fn failure(name: &str, error: Error) -> Failure {
    match error {
        Error::No(why) => exit::failure(why, format!("{name}: {why}")),
        Error::NotAllowed => Failure::No(error.to_string()),
        Error::TooLarge { .. } | Error::NotAnInteger | Error::Expired => Failure::No(format!("{name}: {error}")),
        Error::Unreachable | Error::NoQuorum | Error::Busy | Error::DiskFull | Error::Closed => {
            Failure::Unreachable(error.to_string())
        }
        Error::Unknown => Failure::Unknown(error.to_string()),
    }
}

fn say<T: ToString>(value: T) -> Result<(), Failure> {
    print_item(value.to_string().as_bytes())
}

/// The bytes as they are, and the end of the line.
fn print_item(item: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(item).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| Failure::Unknown(format!("done, but it can't be shown: {error}")))
}
