//! The commands, each with the calls that it takes.

mod cluster;
mod completions;
mod dead;
mod items;
mod key;
mod log;
mod push;
mod queues;
mod snapshot;
mod views;
mod work;

use crate::arguments::{Arguments, Command};
use crate::context;
use crate::failure::Failure;
use crate::shown::{self, Kept};
use crate::words::{Output, QueueName};
use ftq_client::{Blocking, Options, QueueId};

/// A cluster to ask, and how to show what it says.
struct Asked {
    client: Blocking,
    options: Options,
    out: Output,
}

/// Performs the command.
pub(crate) fn perform(mut arguments: Arguments) -> Result<(), Failure> {
    if arguments.version {
        return shown::print(format!("ftqctl {}\n", env!("CARGO_PKG_VERSION")).as_bytes(), Kept::There);
    }
    let Some(command) = arguments.command.take() else {
        return Err(Failure::Usage("say what to do: `ftqctl --help` lists the commands".to_owned()));
    };
    // These ask nobody.
    if let Command::Key(it) = &command
        && let Some(done) = key::perform(&it.command, arguments.output.unwrap_or_default())
    {
        return done;
    }
    if let Command::Completions(it) = &command {
        return completions::print(&it.shell);
    }
    let asked = Asked::of(&arguments)?;
    match command {
        Command::Create(it) => queues::create(&asked, &it),
        Command::Destroy(it) => queues::destroy(&asked, &it),
        Command::Id(it) => queues::id(&asked, &it),
        Command::Size(it) => queues::size(&asked, &it),
        Command::List(_) => queues::list(&asked),
        Command::Show(it) => queues::show(&asked, &it),
        Command::Set(it) => queues::set(&asked, &it),
        Command::Purge(it) => queues::purge(&asked, &it),
        Command::Pause(it) => queues::pause(&asked, &it.queue, true),
        Command::Resume(it) => queues::pause(&asked, &it.queue, false),
        Command::Push(it) => push::perform(&asked, it),
        Command::Pop(it) => items::pop(&asked, &it),
        Command::Top(it) => items::top(&asked, &it),
        Command::Browse(it) => items::browse(&asked, &it),
        Command::Take(it) => items::take(&asked, &it),
        Command::Ack(it) => items::ack(&asked, it),
        Command::Nack(it) => items::nack(&asked, it),
        Command::Touch(it) => items::touch(&asked, it),
        Command::Work(it) => work::perform(&asked, &it),
        Command::Dead(it) => dead::perform(&asked, &it.command),
        Command::GetId(it) => queues::get_id(&asked, &it),
        Command::Status(_) => cluster::status(&asked),
        Command::Members(_) => cluster::members(&asked),
        Command::Member(it) => cluster::change(&asked, &it.command),
        Command::Check(_) => cluster::check(&asked),
        Command::Verify(_) => cluster::verify(&asked),
        Command::Doctor(_) => cluster::doctor(&asked),
        Command::Views(it) => views::print(&asked, &it),
        Command::Log(it) => log::print(&asked, &it),
        Command::Snapshot(it) => snapshot::perform(&asked, &it),
        Command::Key(_) => key::held(&asked),
        Command::Completions(_) => Ok(()),
    }
}

impl Asked {
    fn of(arguments: &Arguments) -> Result<Asked, Failure> {
        let (options, out) = context::meant(arguments)?;
        let client = Blocking::open(options.clone());
        let client = client.map_err(|error| Failure::Usage(format!("no client can be made: {error}")))?;
        Ok(Asked { client, options, out })
    }

    /// The queue's id, asked for if it was named by its label.
    fn queue(&self, name: &QueueName) -> Result<QueueId, Failure> {
        match name {
            QueueName::Id(id) => Ok(*id),
            QueueName::Label(label) => self.client.id(label).map_err(|error| Failure::of(label, error)),
        }
    }
}
