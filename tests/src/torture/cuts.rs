//! Start a victim, kill it and cut its power, start it again: it must find what was reported, and open whole.

use super::bed::{Bed, Kind};
use super::story::Story;
use crate::process::CEILING;
use ftq_core::chance::Chance;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// After so many rounds the disk is formatted, so that creation is cut short too.
const LIVES: u64 = 20;

/// What is done, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where.
    pub kind: Kind,
    /// ext4 or xfs.
    pub file_system: String,
    /// How many cuts.
    pub rounds: u64,
    /// The seed of everything but the scheduler.
    pub seed: u64,
    /// The longest life of a victim.
    pub life_ms: u64,
    /// A program that stands before the victim: `eatmydata` leaves the syncs out.
    pub wrapper: Option<String>,
    /// Leave the flushes of the disk's cache out.
    pub no_barrier: bool,
    /// What is started with `victim DIRECTORY SEED JOBS`.
    pub program: PathBuf,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Toll {
    /// Cuts.
    pub cuts: u64,
    /// Cuts before the victim had opened the store.
    pub while_opening: u64,
    /// Openings.
    pub openings: u64,
    /// Moves of the archive.
    pub moves: u64,
    /// Jobs that were reported.
    pub reports: u64,
    /// Jobs that were not, and were found.
    pub spared: u64,
    /// Jobs that were not, and were gone.
    pub lost: u64,
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Toll { cuts, while_opening, openings, moves, reports, spared, lost } = self;
        write!(
            f,
            "{cuts} cuts, {while_opening} of them during opening; {openings} openings, all whole; {moves} moves; \
             {reports} jobs reported, all there; of the unreported ones {spared} were there and {lost} were not"
        )
    }
}

/// Carries the plan out; the first thing that is wrong ends it.
pub fn cuts(plan: &Plan) -> Result<Toll, String> {
    let mut bed = Bed::make(plan.kind, &plan.file_system, plan.no_barrier);
    let mut chance = Chance::new(plan.seed);
    let mut toll = Toll::default();
    let mut story = Story::default();
    for round in 0..plan.rounds {
        if round % LIVES == 0 {
            bed.format();
            story = Story::default();
        }
        let failed = |what: String| format!("round {round} of seed {}: {what}", plan.seed);
        let life = Duration::from_millis(chance.below(plan.life_ms));
        let store = bed.on(&mut chance);
        let victim = Victim::start(plan, &store, chance.draw(), u64::MAX);
        // Opening takes as long as the disk likes: most lives begin after it, the others catch it.
        if chance.below(4) > 0 {
            victim.wait_until_opened();
        }
        pause(life);
        toll.cuts += 1;
        let openings = story.openings;
        victim.end(&mut story, &mut toll, |victim| bed.cut(victim)).map_err(failed)?;
        toll.while_opening += u64::from(story.openings == openings);
        if round % LIVES == LIVES - 1 || round + 1 == plan.rounds {
            let victim = Victim::start(plan, &bed.on(&mut chance), chance.draw(), 100);
            victim.end(&mut story, &mut toll, |_| ()).map_err(failed)?;
            bed.off();
            toll.spared += story.spared;
            toll.lost += story.lost;
            toll.openings += story.openings;
            toll.moves += story.moves;
        }
    }
    Ok(toll)
}

/// A process at work on a store.
struct Victim {
    process: Child,
    opened: Receiver<()>,
    said: JoinHandle<Vec<String>>,
    complained: JoinHandle<String>,
}

impl Victim {
    fn start(plan: &Plan, store: &Path, seed: u64, jobs: u64) -> Victim {
        let mut command = match &plan.wrapper {
            Some(wrapper) => {
                let mut command = Command::new(wrapper);
                command.arg(&plan.program);
                command
            }
            None => Command::new(&plan.program),
        };
        command.arg("victim").arg(store).args([seed.to_string(), jobs.to_string()]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process");
        let out = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut err = process.stderr.take().expect("it is piped");
        let (has_opened, opened) = channel();
        let said = std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            let lines = lines.inspect(|line| {
                if line.starts_with("opened") {
                    // Nobody waits for it in every life.
                    let _ = has_opened.send(());
                }
            });
            lines.collect::<Vec<String>>()
        });
        let complained = std::thread::spawn(move || {
            let mut text = String::new();
            // What can't be read was not said.
            let _ = err.read_to_string(&mut text);
            text
        });
        Victim { process, opened, said, complained }
    }

    /// Waits until it has opened the store; not for ever, and not if it has ended.
    fn wait_until_opened(&self) {
        let _ = self.opened.recv_timeout(CEILING);
    }

    /// Ends it, or waits for its end, and takes note of what it has said.
    fn end(mut self, story: &mut Story, toll: &mut Toll, end: impl FnOnce(&mut Child)) -> Result<(), String> {
        end(&mut self.process);
        let status: ExitStatus = self.process.wait().map_err(|error| error.to_string())?;
        let lines = self.said.join().map_err(|_| "its words are lost".to_owned())?;
        let complained = self.complained.join().unwrap_or_default();
        let reports = story.reports;
        for line in lines {
            story.line(&line).map_err(|what| format!("{what}\n{complained}"))?;
        }
        toll.reports += story.reports - reports;
        match status.code() {
            None | Some(0) if !complained.contains("panicked") => Ok(()),
            None | Some(_) => Err(format!("the victim ended by itself, {status}: {complained}")),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
fn pause(span: Duration) {
    std::thread::sleep(span);
}
