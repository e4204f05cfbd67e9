//! Disks whose power can be cut, each in a private mount and process namespace, so that nothing outlives the run.
//!
//! | bed | what it is | what a cut takes |
//! | --- | --- | --- |
//! | `kill` | a directory | nothing: the process is killed, what it wrote is there |
//! | `cache` | ext4 or xfs on a loop image | what the system had cached |
//! | `volatile` | ext4 or xfs on a disk with a volatile cache (`beds/volatile_disk.py`) | that, and what the disk had not flushed; some of it stays, torn and in any order |

use ftq_core::chance::Chance;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set inside the namespaces.
const INSIDE: &str = "FTQ_BED";

/// Everything of a bed is below this, on a file system in memory that only this process tree sees.
const PLACE: &str = "/mnt";

/// The disk: what a small store needs many times over.
const DISK_BYTES: u64 = 320 << 20;

/// A file or a mount that does not come within this time does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The process alone.
    Kill,
    /// The machine's memory.
    Cache,
    /// The machine's memory and the disk's cache.
    Volatile,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text {
            "kill" => Ok(Kind::Kill),
            "cache" => Ok(Kind::Cache),
            "volatile" => Ok(Kind::Volatile),
            other => Err(format!("{other} is no bed: kill, cache or volatile")),
        }
    }
}

/// A place for a store, and a way to cut its power.
#[derive(Debug)]
pub(super) struct Bed {
    kind: Kind,
    file_system: String,
    /// Mount it so that the file system does not flush the disk's cache: the negative control.
    no_barrier: bool,
    place: PathBuf,
    disk_bytes: u64,
    /// The disk's processes.
    disk: Vec<Child>,
    rounds: u64,
    _scratch: Option<tempfile::TempDir>,
}

impl Bed {
    /// A bed. The first call of a process for a bed with a disk starts the process again, in namespaces of its own.
    pub(super) fn make(kind: Kind, file_system: &str, no_barrier: bool) -> Bed {
        let scratch = match kind {
            Kind::Kill => Some(tempfile::tempdir().expect("a directory")),
            Kind::Cache | Kind::Volatile => {
                enter_namespaces();
                None
            }
        };
        let place = scratch.as_ref().map_or_else(|| PathBuf::from(PLACE), |scratch| scratch.path().to_owned());
        Bed {
            kind,
            file_system: file_system.to_owned(),
            no_barrier,
            place,
            disk_bytes: DISK_BYTES,
            disk: Vec::new(),
            rounds: 0,
            _scratch: scratch,
        }
    }

    /// The same with a disk of so many bytes.
    pub(super) fn sized(mut self, disk_bytes: u64) -> Bed {
        self.disk_bytes = disk_bytes;
        self
    }

    /// Whether each write and flush of a volatile disk fails from now on.
    pub(super) fn fails(&self, fails: bool) {
        let eio = self.at("eio");
        if fails { fs::write(eio, b"") } else { fs::remove_file(eio) }.expect("a file");
    }

    /// An empty file system.
    pub(super) fn format(&mut self) {
        match self.kind {
            Kind::Kill => drop(fs::remove_dir_all(self.directory())),
            Kind::Cache | Kind::Volatile => {
                let image = self.at("image");
                let file = fs::File::create(&image).expect("an image");
                file.set_len(self.disk_bytes).expect("room");
                let image = image.to_string_lossy().into_owned();
                match self.file_system.as_str() {
                    "xfs" => run("mkfs.xfs", &["-q", "-f", &image]),
                    _ => run(
                        "mkfs.ext4",
                        &["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", &image],
                    ),
                }
            }
        }
    }

    /// The power is on: where the store is to be.
    pub(super) fn on(&mut self, chance: &mut Chance) -> PathBuf {
        self.rounds += 1;
        match self.kind {
            Kind::Kill => fs::create_dir_all(self.directory()).expect("a directory"),
            Kind::Cache => self.mount(&self.at("image"), "loop"),
            Kind::Volatile => {
                self.start_disk(chance);
                let options = if self.no_barrier { "loop,nobarrier" } else { "loop" };
                self.mount(&self.at("fuse/disk"), options);
            }
        }
        self.directory().join("store")
    }

    /// Kills the process and cuts the power, in this order: an fdatasync that is under way when the power goes may
    /// return success although its data is gone.
    pub(super) fn cut(&mut self, victim: &mut Child) {
        match self.kind {
            Kind::Kill => kill(victim),
            Kind::Cache => {
                let mut shutdown = Command::new("python3")
                    .args(["-c", include_str!("../../beds/shutdown.py")])
                    .arg(self.directory())
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("python3");
                let mut ready = [0; 6];
                shutdown.stdout.take().expect("it is piped").read_exact(&mut ready).expect("it is ready");
                kill(victim);
                shutdown.stdin.take().expect("it is piped").write_all(b"\n").expect("it listens");
                assert!(shutdown.wait().expect("it ends").success(), "the file system was not shut down");
                run("umount", &[&self.directory().to_string_lossy()]);
            }
            Kind::Volatile => {
                kill(victim);
                fs::write(self.at("cut"), b"").expect("a file");
                // Any request is the last one.
                let directory = self.directory();
                drop(Command::new("timeout").args(["2", "sync", "-f"]).arg(&directory).stderr(Stdio::null()).status());
                self.stop_disk();
            }
        }
    }

    /// The power goes off in an orderly way.
    pub(super) fn off(&mut self) {
        match self.kind {
            Kind::Kill => {}
            Kind::Cache => run("umount", &[&self.directory().to_string_lossy()]),
            Kind::Volatile => {
                run("umount", &[&self.directory().to_string_lossy()]);
                self.stop_disk();
            }
        }
    }

    fn start_disk(&mut self, chance: &mut Chance) {
        fs::write(self.at("volatile_disk.py"), include_str!("../../beds/volatile_disk.py")).expect("a file");
        for left in ["cut", "cut.report", "socket"] {
            drop(fs::remove_file(self.at(left)));
        }
        let keep = ["0", "0.5", "0.95"][usize::try_from(chance.below(3)).unwrap_or(0)];
        let (socket, image, cut, eio) = (self.at("socket"), self.at("image"), self.at("cut"), self.at("eio"));
        let option = |name: &str, path: &Path| format!("{name}={}", path.display());
        let server = Command::new("nbdkit")
            .args(["-f", "-U"])
            .arg(&socket)
            .arg("python")
            .arg(self.at("volatile_disk.py"))
            .args([option("image", &image), option("cut", &cut), option("eio", &eio)])
            .args([format!("keep={keep}"), format!("seed={}", chance.below(1_000_000))])
            .stderr(Stdio::null())
            .spawn()
            .expect("nbdkit, see tests/beds/setup.sh");
        self.disk.push(server);
        wait_for("the socket of nbdkit", || socket.exists());
        fs::create_dir_all(self.at("fuse")).expect("a directory");
        let (disk, disk_bytes) = (self.at("fuse/disk"), self.disk_bytes);
        let start = || {
            let mut fuse = Command::new("nbdfuse");
            fuse.arg(&disk).arg("--unix").arg(&socket).stderr(Stdio::null());
            fuse.spawn().expect("nbdfuse, see tests/beds/setup.sh")
        };
        let mut fuse = start();
        wait_for("the file of nbdfuse", || {
            // The socket is there a moment before anybody listens: who comes too early ends.
            if fuse.try_wait().is_ok_and(|ended| ended.is_some()) {
                fuse = start();
            }
            fs::metadata(&disk).is_ok_and(|disk| disk.len() == disk_bytes)
        });
        self.disk.push(fuse);
    }

    fn stop_disk(&mut self) {
        let mut disk = std::mem::take(&mut self.disk);
        disk.iter_mut().for_each(kill);
        for mounted in [self.directory(), self.at("fuse")] {
            drop(Command::new("umount").arg("-l").arg(mounted).stderr(Stdio::null()).status());
        }
    }

    fn mount(&self, device: &Path, options: &str) {
        let directory = self.directory();
        fs::create_dir_all(&directory).expect("a directory");
        let (device, directory) = (device.to_string_lossy(), directory.to_string_lossy());
        run("mount", &["-t", &self.file_system, "-o", options, &device, &directory]);
    }

    fn directory(&self) -> PathBuf {
        self.at("disk")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop_disk();
    }
}

/// Starts this program again where its mounts and processes end with it.
fn enter_namespaces() {
    if std::env::var_os(INSIDE).is_none() {
        let program = std::env::current_exe().expect("a program");
        let error = Command::new("unshare")
            .args(["--fork", "--pid", "--kill-child=KILL", "--mount", "--mount-proc", "--"])
            .arg(program)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1")
            .exec();
        panic!("no namespaces: {error}");
    }
    run("mount", &["--make-rprivate", "/"]);
    run("mount", &["-t", "tmpfs", "none", PLACE]);
}

fn run(program: &str, arguments: &[&str]) {
    // Not every shell of root has them in its path.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let done = Command::new(program).args(arguments).env("PATH", path).output();
    let done = done.unwrap_or_else(|error| panic!("{program}: {error} (see tests/beds/setup.sh)"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn kill(process: &mut Child) {
    // One that has ended by itself can't be killed.
    let _ = process.kill();
    let _ = process.wait();
}

#[expect(clippy::disallowed_methods, reason = "a real disk takes real time")]
fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}
