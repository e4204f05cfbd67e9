//! Clients as a program of their own: at work on each host of a cluster, and the tally of what all were told.
//!
//! Each writes its notes into a file of its own. They are the system's as soon as they are written, so a client that
//! is killed leaves them whole.

use super::ledger::Ledger;
use super::level::wait_until_level;
use super::load::{NAME, Work, rest_of, work};
use super::notes::Note;
use super::pause;
use argh::FromArgs;
use ftq_client::{Blocking, Options};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// While a file of this name is among the notes the clients stop.
const STOP: &str = "stop";

/// Clients that push, pop and draw numbers, each with a file of notes on what it was told.
#[derive(Debug, FromArgs)]
struct Arguments {
    #[argh(subcommand)]
    command: Command,
}

#[derive(Debug, FromArgs)]
#[argh(subcommand)]
enum Command {
    Work(AtWork),
    Tally(Tally),
}

/// Work until there is a file `stop` among the notes.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "work")]
struct AtWork {
    /// address of a replica; the first one given is asked first
    #[argh(option)]
    server: Vec<SocketAddr>,
    /// file with the clients' key
    #[argh(option)]
    key: Option<PathBuf>,
    /// for how many seconds each thing is tried
    #[argh(option, default = "60")]
    timeout: u64,
    /// what the items' names begin with: nobody else's may
    #[argh(option)]
    name: String,
    /// so many clients push, as many pop, and one draws numbers
    #[argh(option, default = "2")]
    pairs: u32,
    /// how many milliseconds each rests after each thing
    #[argh(option, default = "5")]
    rest_ms: u64,
    /// the directory of the notes
    #[argh(positional)]
    notes: PathBuf,
}

/// Empty the queue, and hold all notes against what a queue promises; and all replicas against one another.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "tally")]
struct Tally {
    /// address of a replica
    #[argh(option)]
    server: Vec<SocketAddr>,
    /// file with the clients' key
    #[argh(option)]
    key: Option<PathBuf>,
    /// for how many seconds each thing is tried
    #[argh(option, default = "30")]
    timeout: u64,
    /// the directory of the notes
    #[argh(positional)]
    notes: PathBuf,
}

/// Does what the command line says, without the program's name. Exit code 1: something was lost or done twice.
pub(super) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let texts: Vec<String> = arguments.map(|text| text.to_string_lossy().into_owned()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let ended = match Arguments::from_args(&["clients"], &texts) {
        Ok(Arguments { command: Command::Work(asked) }) => asked.perform(),
        Ok(Arguments { command: Command::Tally(asked) }) => asked.perform(),
        Err(early) => Err(early.output),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{}", what.trim_end());
            ExitCode::FAILURE
        }
    }
}

fn options(servers: Vec<SocketAddr>, key: Option<&Path>, timeout: u64) -> Result<Options, String> {
    let key = key.map(ftq_client::key).transpose().map_err(|error| error.to_string())?;
    Ok(Options { servers, key, timeout: Duration::from_secs(timeout), ..Options::default() })
}

fn client(options: &Options) -> Result<Blocking, String> {
    Blocking::open(options.clone()).map_err(|error| error.to_string())
}

impl AtWork {
    fn perform(self) -> Result<(), String> {
        let options = options(self.server, self.key.as_deref(), self.timeout)?;
        let rest = Duration::from_millis(self.rest_ms);
        let (options, notes) = (&options, &self.notes);
        std::thread::scope(|scope| {
            let all = work(&self.name, self.pairs).into_iter().enumerate();
            let workers = all.map(|(number, work)| {
                let notes_of_it = notes.join(format!("{}-{number}", self.name));
                scope.spawn(move || one(options, &work, rest, &notes_of_it, &notes.join(STOP)))
            });
            let workers: Vec<_> = workers.collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a client panicked".to_owned())?)
        })
    }
}

fn one(options: &Options, work: &Work, rest: Duration, notes: &Path, stop: &Path) -> Result<(), String> {
    let client = client(options)?;
    let queue = client.create(NAME).map_err(|error| format!("there is no queue: {error}"))?;
    let mut file = File::options().append(true).create_new(true).open(notes).map_err(|error| error.to_string())?;
    let mut failed = None;
    for turn in 0.. {
        if stop.exists() {
            break;
        }
        work.step(&client, queue, turn, &mut |note| {
            if let Err(error) = file.write_all(format!("{note}\n").as_bytes()) {
                failed = Some(format!("{}: {error}", notes.display()));
            }
        });
        if let Some(why) = failed {
            return Err(why);
        }
        pause(rest);
    }
    Ok(())
}

impl Tally {
    fn perform(self) -> Result<(), String> {
        let options = options(self.server.clone(), self.key.as_deref(), self.timeout)?;
        let client = client(&options)?;
        let queue = client.create(NAME).map_err(|error| format!("the cluster does not serve: {error}"))?;
        self.write(&rest_of(&client, queue)?)?;
        let mut ledger = Ledger::default();
        for entry in fs::read_dir(&self.notes).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let wrong = |what: String| format!("{}: {what}", path.display());
            let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
            let notes = text.lines().map(str::parse).collect::<Result<Vec<Note>, String>>().map_err(wrong)?;
            ledger.add(Ledger::of(notes).map_err(wrong)?);
        }
        ledger.check()?;
        options.servers.iter().try_for_each(|server| wait_until_level(&options, *server))?;
        println!("{}", ledger.summary());
        Ok(())
    }

    /// What came out now belongs to the notes: there may be another tally.
    fn write(&self, notes: &[Note]) -> Result<(), String> {
        let name = format!("tally-{}", std::process::id());
        let text: String = notes.iter().map(|note| format!("{note}\n")).collect();
        fs::write(self.notes.join(name), text).map_err(|error| error.to_string())
    }
}
