//! `ftqd` on a disk that is full, or that fails: what it says, how it ends, and that it goes on when that is over.

use super::bed::{Bed, Kind};
use crate::process::{Ticks, pause};
use ftq_client::{Blocking, Error, Options, QueueId};
use ftq_core::chance::Chance;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A disk on which a journal, a ballast and what warns of its end have room.
const DISK_BYTES: u64 = 1_200 << 20;

/// What fills it up.
const FILLER: &str = "filler";

/// What is pushed at once.
const ITEM_BYTES: usize = 50_000;

/// How long anything may take.
const CEILING: Duration = Duration::from_secs(60);

/// How long one push may take: a daemon that has ended answers none.
const PUSH: Duration = Duration::from_secs(5);

/// So many pushes fill the last of a disk that was filled up.
const PUSHES_MAX: u64 = 20_000;

/// The exit codes of `ftqd` that are expected here.
const FAILED: i32 = 73;
const CAN_NOT_OPEN: i32 = 74;

/// A full disk: it warns and takes no more pushes in time, ends when there is no room all the same, gives up its ballast, refuses without a ballast, and
/// goes on when there is room.
pub fn full(program: &Path) -> Result<String, String> {
    let mut bed = Bed::make(Kind::Cache, "ext4", false).sized(DISK_BYTES);
    bed.format();
    let disk = disk(&mut bed)?;
    let mut daemon = Daemon::start(program, &disk)?;
    let queue = daemon.client()?.create("q").map_err(|error| error.to_string())?;
    let mut pushed = daemon.push(queue, 20)?;
    require(disk.join("store/ballast").exists(), "there is a ballast")?;

    fill(&disk, free(&disk)?.saturating_sub(150 << 20))?;
    daemon.waits_for("the disk is nearly full")?;
    daemon.refuses(queue)?;
    daemon.has(queue, pushed)?;
    // Somebody who lets it come to the end.
    daemon.kill();
    daemon.minds_no_low_disk()?;
    daemon.start_again()?;
    daemon.has(queue, pushed)?;
    fill(&disk, u64::MAX)?;
    pushed += daemon.push_until_it_ends(queue)?;
    let status = daemon.ended()?;
    daemon.ends(status, FAILED, "No space left on device")?;

    daemon.start_again()?;
    daemon.waits_for("was removed to make room")?;
    daemon.has(queue, pushed)?;
    daemon.kill();
    fill(&disk, u64::MAX)?;
    daemon.start_again()?;
    let status = daemon.ended()?;
    daemon.ends(status, CAN_NOT_OPEN, "make room there")?;

    fs::remove_dir_all(disk.join(FILLER)).map_err(|error| error.to_string())?;
    daemon.start_again()?;
    daemon.has(queue, pushed)?;
    let more = daemon.push(queue, 5)?;
    daemon.has(queue, pushed + more)?;
    daemon.kill();
    require(disk.join("store/ballast").exists(), "there is a ballast again")?;
    bed.off();
    Ok(format!("full: {pushed} items kept through a full disk and two endings"))
}

/// A disk that says EIO: it ends, and what was acknowledged is there when the disk is well again. Then the system may
/// show it what was written and never got to the disk: that must not count, as a power cut takes it away.
pub fn eio(program: &Path) -> Result<String, String> {
    let mut bed = Bed::make(Kind::Volatile, "ext4", false).sized(DISK_BYTES);
    bed.format();
    let disk = disk(&mut bed)?;
    let mut daemon = Daemon::start(program, &disk)?;
    let queue = daemon.client()?.create("q").map_err(|error| error.to_string())?;
    let mut pushed = daemon.push(queue, 20)?;
    bed.fails(true);
    pushed += daemon.push_until_it_ends(queue)?;
    let status = daemon.ended()?;
    daemon.ends(status, FAILED, "a write or a sync of the store in ")?;
    bed.fails(false);
    daemon.start_again()?;
    if !daemon.serves()? {
        // The file system has seen errors of its own, and takes nothing until it is mounted again.
        let status = daemon.ended()?;
        daemon.ends(status, CAN_NOT_OPEN, "Read-only file system")?;
        bed.off();
        bed.on(&mut Chance::new(1));
        daemon.start_again()?;
    }
    daemon.has(queue, pushed)?;
    pushed += daemon.push(queue, 20)?;
    daemon.power_cut(&mut bed)?;
    bed.on(&mut Chance::new(1));
    daemon.start_again()?;
    daemon.has(queue, pushed)?;
    daemon.kill();
    bed.off();
    Ok(format!("EIO: {pushed} items kept"))
}

fn disk(bed: &mut Bed) -> Result<PathBuf, String> {
    let store = bed.on(&mut Chance::new(1));
    store.parent().map(Path::to_owned).ok_or_else(|| "a store is on a disk".to_owned())
}

/// An `ftqd` alone, with its data on the disk and its configuration and what it says beside it.
struct Daemon {
    program: PathBuf,
    configuration: PathBuf,
    log: PathBuf,
    client: SocketAddr,
    process: Option<Child>,
    /// How much of what it said belongs to an earlier run.
    said_before: usize,
}

impl Daemon {
    fn start(program: &Path, disk: &Path) -> Result<Daemon, String> {
        let beside = disk.parent().ok_or("the disk is mounted somewhere")?;
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = |port| SocketAddr::from((Ipv4Addr::new(127, 77, high, low.max(1)), port));
        let configuration = beside.join("ftqd.toml");
        let text = format!(
            "cluster = \"test\"\nme = 1\nclient = \"{}\"\ndata-dir = \"{}\"\n[[members]]\nid = 1\npeer = \"{}\"\n",
            address(7410),
            disk.join("store").display(),
            address(7411)
        );
        fs::write(&configuration, text).map_err(|error| error.to_string())?;
        let log = beside.join("ftqd.log");
        fs::write(&log, "").map_err(|error| error.to_string())?;
        let (program, process) = (program.to_owned(), None);
        let mut daemon = Daemon { program, configuration, log, client: address(7410), process, said_before: 0 };
        daemon.start_again()?;
        Ok(daemon)
    }

    fn start_again(&mut self) -> Result<(), String> {
        self.said_before = self.said().map(|said| said.len() + self.said_before)?;
        let log = File::options().append(true).open(&self.log).map_err(|error| error.to_string())?;
        let mut command = Command::new(&self.program);
        command.args(["ftqd", "--config"]).arg(&self.configuration).env("RUST_LOG", "info,sled=off");
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(|error| error.to_string())?).stderr(log);
        self.process = Some(command.spawn().map_err(|error| error.to_string())?);
        Ok(())
    }

    /// What this run of it has said.
    fn said(&self) -> Result<String, String> {
        let all = fs::read_to_string(&self.log).map_err(|error| error.to_string())?;
        Ok(all.get(self.said_before..).unwrap_or_default().to_owned())
    }

    fn waits_for(&self, words: &str) -> Result<(), String> {
        let clock = Ticks::start();
        while clock.passed() < CEILING {
            if self.said()?.contains(words) {
                return Ok(());
            }
            pause(Duration::from_millis(50));
        }
        Err(format!("it does not say \"{words}\":\n{}", self.said()?))
    }

    /// Whether it comes to serve, and does not end before.
    fn serves(&mut self) -> Result<bool, String> {
        let clock = Ticks::start();
        while clock.passed() < CEILING {
            if self.said()?.contains("ready: ") {
                return Ok(true);
            }
            let process = self.process.as_mut().ok_or("it was started")?;
            if process.try_wait().map_err(|error| error.to_string())?.is_some() {
                return Ok(false);
            }
            pause(Duration::from_millis(50));
        }
        Err(format!("it neither serves nor ends:\n{}", self.said()?))
    }

    fn client(&self) -> Result<Blocking, String> {
        self.client_within(CEILING)
    }

    fn client_within(&self, timeout: Duration) -> Result<Blocking, String> {
        let options = Options { servers: vec![self.client], timeout, ..Options::default() };
        Blocking::open(options).map_err(|error| error.to_string())
    }

    /// Pushes so many items; how many were acknowledged, which is all.
    fn push(&self, queue: QueueId, items: u64) -> Result<u64, String> {
        let client = self.client()?;
        for _ in 0..items {
            let pushed = client.push(queue, [vec![b'x'; ITEM_BYTES]]);
            pushed.map_err(|error| format!("{error}:\n{}", self.said().unwrap_or_default()))?;
        }
        Ok(items)
    }

    /// A push is refused because the disk is nearly full.
    fn refuses(&self, queue: QueueId) -> Result<(), String> {
        let pushed = self.client_within(PUSH)?.push(queue, [vec![b'x'; ITEM_BYTES]]);
        require(pushed == Err(Error::DiskFull), &format!("a push on a disk that is nearly full: {pushed:?}"))
    }

    /// From its next start on it goes on until a write fails.
    fn minds_no_low_disk(&self) -> Result<(), String> {
        let text = fs::read_to_string(&self.configuration).map_err(|error| error.to_string())?;
        fs::write(&self.configuration, format!("disk-low = 0\n{text}")).map_err(|error| error.to_string())
    }

    /// Pushes until it has ended; how many were acknowledged.
    fn push_until_it_ends(&mut self, queue: QueueId) -> Result<u64, String> {
        let client = self.client_within(PUSH)?;
        let mut pushed = 0;
        for _ in 0..PUSHES_MAX {
            match client.push(queue, [vec![b'x'; ITEM_BYTES]]) {
                Ok(_) => pushed += 1,
                Err(_) => {
                    let process = self.process.as_mut().ok_or("it was started")?;
                    if process.try_wait().map_err(|error| error.to_string())?.is_some() {
                        return Ok(pushed);
                    }
                }
            }
        }
        Err(format!("it does not end, after {pushed} pushes"))
    }

    /// Waits for its end.
    fn ended(&mut self) -> Result<ExitStatus, String> {
        let mut process = self.process.take().ok_or("it was started")?;
        let clock = Ticks::start();
        while clock.passed() < CEILING {
            if let Some(status) = process.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            pause(Duration::from_millis(50));
        }
        Err(format!("it does not end:\n{}", self.said()?))
    }

    fn ends(&self, status: ExitStatus, code: i32, words: &str) -> Result<(), String> {
        let said = self.said()?;
        let is_right = status.code() == Some(code) && said.contains(words) && !said.contains("panicked");
        require(is_right, &format!("it ends with {status}, expected {code} and \"{words}\":\n{said}"))
    }

    /// Whether all that was acknowledged is there; one that was not may be.
    fn has(&self, queue: QueueId, pushed: u64) -> Result<(), String> {
        let size =
            self.client()?.size(queue).map_err(|error| format!("{error}:\n{}", self.said().unwrap_or_default()))?;
        require(size == pushed || size == pushed + 1, &format!("{size} items of {pushed} are there"))
    }

    fn power_cut(&mut self, bed: &mut Bed) -> Result<(), String> {
        let mut process = self.process.take().ok_or("it was started")?;
        bed.cut(&mut process);
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // One that has ended by itself can't be killed.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free(disk: &Path) -> Result<u64, String> {
    let output = Command::new("df").args(["--output=avail", "-B1"]).arg(disk).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|bytes| bytes.trim().parse().ok()).ok_or_else(|| format!("df says {text}"))
}

/// Adds so many bytes to what fills the disk; as many as there is room for if it is more than that.
fn fill(disk: &Path, bytes: u64) -> Result<(), String> {
    let filler = disk.join(FILLER);
    fs::create_dir_all(&filler).map_err(|error| error.to_string())?;
    let number = fs::read_dir(&filler).map_err(|error| error.to_string())?.count();
    let path = filler.join(number.to_string());
    if bytes < free(disk)? {
        let done = Command::new("fallocate").args(["-l", &bytes.to_string()]).arg(path).status();
        return require(done.is_ok_and(|status| status.success()), "the disk is filled");
    }
    // Larger steps first, so that it does not take long. Each ends with an error, as it should.
    for step in ["1M", "4K"] {
        let mut command = Command::new("dd");
        command.arg("if=/dev/zero").arg(format!("of={}", path.display())).arg(format!("bs={step}"));
        drop(command.args(["oflag=append", "conv=notrunc,fsync"]).stderr(Stdio::null()).status());
    }
    Ok(())
}

fn require(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("not so: {what}")) }
}
