//! What may stand on the command line.

use crate::config::{self, Told, level};
use crate::ending::Ending;
use crate::playground;
use argh::FromArgs;
use ftq_core::ids::MemberId;
use log::LevelFilter;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs one replica of a durable work queue. Without a configuration: a cluster of one, on loopback,
/// with its data in $STATE_DIRECTORY, else $XDG_STATE_HOME/ftq, else ~/.local/state/ftq.
#[derive(Debug, FromArgs)]
pub(crate) struct Arguments {
    /// configuration file (TOML), instead of /etc/ftq/ftqd.toml; or $FTQD_CONFIG
    #[argh(option, arg_name = "file")]
    pub(crate) config: Option<PathBuf>,

    /// say what the configuration comes to, or all that is wrong with it, and exit
    #[argh(switch)]
    pub(crate) check_config: bool,

    /// print the configuration as a file with each key explained, and exit
    #[argh(switch)]
    pub(crate) print_config: bool,

    /// run so many replicas, 1 to 7, in this process on loopback, for trying failures out: they need no configuration,
    /// and their data goes away with them
    #[argh(option, arg_name = "replicas", from_str_fn(replicas))]
    pub(crate) playground: Option<u8>,

    /// which of the members this is, whatever the file says; or $FTQD_ME
    #[argh(option, arg_name = "id")]
    pub(crate) me: Option<u8>,

    /// where the store is, whatever the file says; or $FTQD_DATA_DIR
    #[argh(option, arg_name = "dir")]
    pub(crate) data_dir: Option<PathBuf>,

    /// the file with the keys, whatever the configuration says; or $FTQD_KEY_FILE
    #[argh(option, arg_name = "file")]
    pub(crate) key_file: Option<PathBuf>,

    /// which lines are written to the log: error, warn, info, debug, trace or off; or $FTQD_LOG
    #[argh(option, arg_name = "level", from_str_fn(level))]
    pub(crate) log: Option<LevelFilter>,

    /// print the version, and exit
    #[argh(switch)]
    pub(crate) version: bool,

    #[argh(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do instead of running a replica.
#[derive(Debug, FromArgs)]
#[argh(subcommand)]
pub(crate) enum Command {
    Verify(Verify),
    StartAnew(StartAnew),
    GoOnAlone(GoOnAlone),
}

/// Look at a store that no ftqd has open: say what is there and what is wrong, and change nothing.
/// It needs room for a copy of the archive. Exit code 0: nothing is wrong; 65: something is; 74: it
/// could not be looked at.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "verify")]
pub(crate) struct Verify {
    /// the store's directory
    #[argh(positional, arg_name = "dir")]
    pub(crate) directory: PathBuf,
}

/// Begin an empty cluster in the place of one whose data is lost. What is left of the store is kept beside the
/// new one. Each member of a larger cluster must be started anew, with the code that the first one prints.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "start-anew")]
pub(crate) struct StartAnew {
    /// the store's directory
    #[argh(positional, arg_name = "dir")]
    pub(crate) directory: PathBuf,

    /// the code that start-anew has printed on another member
    #[argh(option, arg_name = "code", from_str_fn(code))]
    pub(crate) code: Option<[u8; 16]>,
}

/// Go on with what one store holds, when the quorum of its cluster is lost for ever: another cluster begins, of that one
/// member, with all that it has, acknowledged or not. What only the others had is lost. The former store is kept beside the
/// new one; each other member is to join with an empty store. Without --yes it only says what it would do.
#[derive(Debug, FromArgs)]
#[argh(subcommand, name = "go-on-alone")]
pub(crate) struct GoOnAlone {
    /// the store's directory
    #[argh(positional, arg_name = "dir")]
    pub(crate) directory: PathBuf,

    /// which member this is; only for a store that the cluster does not know, since its journal was lost, or it was about
    /// to join
    #[argh(option, arg_name = "id", from_str_fn(member))]
    pub(crate) me: Option<MemberId>,

    /// do it: no quorum of the former cluster can ever come back, and none of it runs
    #[argh(switch)]
    pub(crate) yes: bool,
}

/// A variable of the environment that is set to something.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// How many replicas play.
fn replicas(text: &str) -> Result<u8, String> {
    let number = text.parse().ok().filter(|number| (1..=playground::REPLICAS_MAX).contains(number));
    number.ok_or_else(|| format!("a playground has 1 to {} replicas: --playground 3", playground::REPLICAS_MAX))
}

/// The number of a member.
fn member(text: &str) -> Result<MemberId, String> {
    text.parse().ok().and_then(MemberId::new).ok_or_else(|| "the number of a member is 1 to 63".to_owned())
}

/// 32 hexadecimal digits.
fn code(text: &str) -> Result<[u8; 16], String> {
    let number = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok()).flatten();
    number.map(u128::to_be_bytes).ok_or_else(|| "a code has 32 digits from 0 to 9 and a to f".to_owned())
}

/// Why the command line leads to nothing to run.
#[derive(Debug)]
pub(crate) enum Early {
    /// Help was asked for.
    Help(String),
    /// It is wrong.
    Wrong(String),
}

impl Arguments {
    /// The configuration file, if one is named or is in the usual place.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let named = self.config.clone().or_else(|| variable("FTQD_CONFIG").map(PathBuf::from));
        named.or_else(|| Some(PathBuf::from(config::FILE)).filter(|usual| usual.exists()))
    }

    /// What counts for more than that file.
    pub(crate) fn told(&self) -> Result<Told, Ending> {
        let number = |text: String| {
            text.parse().map_err(|_| Ending::Config(format!("$FTQD_ME is {text:?}: the number of a member is 1 to 63")))
        };
        let filter =
            |text: String| level(&text).map_err(|what| Ending::Config(format!("$FTQD_LOG is {text:?}: {what}")));
        let or = |flag: &Option<PathBuf>, name| flag.clone().or_else(|| variable(name).map(PathBuf::from));
        Ok(Told {
            me: self.me.map_or_else(|| variable("FTQD_ME").map(number).transpose(), |me| Ok(Some(me)))?,
            data_dir: or(&self.data_dir, "FTQD_DATA_DIR"),
            key_file: or(&self.key_file, "FTQD_KEY_FILE"),
            log: self.log.map_or_else(|| variable("FTQD_LOG").map(filter).transpose(), |log| Ok(Some(log)))?,
        })
    }

    /// Reads a command line, without the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, Early> {
        let texts = arguments.map(OsString::into_string).collect::<Result<Vec<String>, OsString>>();
        let texts = texts.map_err(|bad| Early::Wrong(format!("{} is not valid text", bad.to_string_lossy())))?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let arguments = Arguments::from_args(&["ftqd"], &texts).map_err(|early| match early.status {
            Ok(()) => Early::Help(early.output),
            Err(()) => Early::Wrong(early.output.trim().to_owned()),
        })?;
        if arguments.playground.is_some() && arguments.says_what_to_run() {
            return Err(Early::Wrong(
                "--playground makes all that it needs: nothing but --log goes with it".to_owned(),
            ));
        }
        Ok(arguments)
    }

    /// Whether it says which replica to run, or what to do instead.
    fn says_what_to_run(&self) -> bool {
        let Arguments { config, check_config, print_config, me, data_dir, key_file, command, .. } = self;
        let paths = [config, data_dir, key_file];
        paths.iter().any(|path| path.is_some()) || *check_config || *print_config || me.is_some() || command.is_some()
    }
}

impl Early {
    /// Says what there is to say; the exit code, 64 for a command line that is wrong.
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Early::Help(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Early::Wrong(what) => {
                eprintln!("ftqd: {what}");
                ExitCode::from(64)
            }
        }
    }
}
