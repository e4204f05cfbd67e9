//! A cluster of `ftqd` processes with their configurations and data below one directory.

use super::level::wait_until_level;
use super::patience::{CEILING, Ticks};
use ftq_client::{Blocking, Client, Options};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Clusters of this process, so that each has addresses of its own.
static CLUSTERS: AtomicU8 = AtomicU8::new(0);

/// A cluster, all of whose processes are killed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The program, and what stands between it and the arguments of `ftqd`.
    program: PathBuf,
    directory: TempDir,
    network: [u8; 3],
    members: Vec<Option<Child>>,
}

impl Cluster {
    /// A cluster of `size`, none of whose members runs yet. `program` does [`super::run_as_told`].
    pub fn new(program: &Path, size: u8) -> Cluster {
        Cluster::configured(program, size, "")
    }

    /// The same, with these lines in every configuration.
    pub fn configured(program: &Path, size: u8, lines: &str) -> Cluster {
        Cluster::with_newcomers(program, size, 0, lines)
    }

    /// The same, and as many replicas that know the address of the first member and nothing else of it.
    pub fn with_newcomers(program: &Path, founders: u8, newcomers: u8, lines: &str) -> Cluster {
        let size = founders + newcomers;
        // Beside the program is a real disk, and what a killed test leaves there goes with the build.
        let beside = program.parent().expect("a program is in a directory");
        let directory = tempfile::Builder::new().prefix("ftq-cluster-").tempdir_in(beside).expect("a directory");
        let [.., high, low] = std::process::id().to_be_bytes();
        let network = [127, high.clamp(1, 254), low];
        // Ten addresses each; by the time that they come round the first ones are long gone.
        let first = CLUSTERS.fetch_add(1, Ordering::Relaxed) % 25 * 10;
        let address =
            |member: u8, port: u16| SocketAddr::from(([network[0], network[1], network[2], first + member], port));
        let keys = directory.path().join("keys");
        let made = Command::new(program).args(["ftqctl", "key", "new", "--file"]).arg(&keys).status();
        assert!(made.expect("ftqctl runs").success(), "a key is made");
        for me in 1..=size {
            let mut text = format!(
                "cluster = \"test\"\nme = {me}\nclient = \"{}\"\nkey-file = \"keys\"\ndata-dir = \"{}\"\n{lines}\n",
                address(me, 7410),
                directory.path().join(format!("data-{me}")).display()
            );
            if me > founders {
                text.push_str(&format!("peer = \"{}\"\njoin = \"{}\"\n", address(me, 7411), address(1, 7411)));
            }
            for id in (1..=founders).filter(|_| me <= founders) {
                text.push_str(&format!("[[members]]\nid = {id}\npeer = \"{}\"\n", address(id, 7411)));
            }
            fs::write(directory.path().join(format!("{me}.toml")), text).expect("a configuration");
        }
        Cluster {
            program: program.to_owned(),
            directory,
            network: [network[1], network[2], first],
            members: (0..size).map(|_| None).collect(),
        }
    }

    /// A cluster all of whose members run and serve.
    pub fn started(program: &Path, size: u8) -> Cluster {
        let mut cluster = Cluster::new(program, size);
        cluster.start_all();
        cluster.blocking().summary().expect("a new cluster serves");
        cluster
    }

    /// Starts a member.
    pub fn start(&mut self, member: u8) {
        self.start_in(member, &[]);
    }

    /// Starts a member with these variables in its environment.
    pub fn start_in(&mut self, member: u8, environment: &[(&str, &str)]) {
        let log = File::options().create(true).append(true).open(self.log(member)).expect("a log file");
        let child = Command::new(&self.program)
            .args(["ftqd", "--config"])
            .arg(self.directory.path().join(format!("{member}.toml")))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("a process");
        let place = self.place(member);
        assert!(place.is_none(), "{member} runs already");
        *place = Some(child);
    }

    /// Starts all members.
    pub fn start_all(&mut self) {
        self.members().for_each(|member| self.start(member));
    }

    /// Kills a member without a warning, as `kill -9` does.
    pub fn kill(&mut self, member: u8) {
        let mut child = self.place(member).take().expect("it runs");
        child.kill().expect("a process can be killed");
        child.wait().expect("a killed process ends");
    }

    /// Sends a member a signal by its name, as `kill` does.
    pub fn signal(&self, member: u8, signal: &str) {
        let process = self.process(member).expect("it runs");
        let sent = Command::new("kill").args(["-s", signal, &process.to_string()]).status();
        assert!(sent.expect("kill runs").success(), "{signal} to {member}");
    }

    /// Tells a member to stop, waits until it has, and says how it ended and how long it took.
    pub fn stop(&mut self, member: u8) -> (ExitStatus, Duration) {
        let clock = Ticks::start();
        self.signal(member, "TERM");
        (self.ended(member), clock.passed())
    }

    /// Kills all members that run, one right after the other.
    pub fn kill_all(&mut self) {
        let mut children: Vec<Child> = self.members.iter_mut().filter_map(Option::take).collect();
        children.iter_mut().for_each(|child| child.kill().expect("a process can be killed"));
        for child in &mut children {
            child.wait().expect("a killed process ends");
        }
    }

    /// Waits until a member ends by itself, and says how.
    pub fn ended(&mut self, member: u8) -> ExitStatus {
        self.place(member).take().expect("it runs").wait().expect("it can be waited for")
    }

    /// Runs `ftqctl` against these servers.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        self.ctl_within(CEILING, arguments)
    }

    /// Runs `ftqctl` against these servers, with this timeout.
    pub fn ctl_within(&self, timeout: Duration, arguments: &[&str]) -> Output {
        let mut all: Vec<OsString> = vec!["ftqctl".into(), "--timeout".into(), timeout.as_secs().to_string().into()];
        for server in self.servers() {
            all.extend(["--server".into(), server.to_string().into()]);
        }
        all.extend(arguments.iter().map(OsString::from));
        Command::new(&self.program).args(all).stdin(Stdio::null()).output().expect("ftqctl runs")
    }

    /// A client of all members.
    pub fn client(&self) -> Client {
        Client::open(self.options()).expect("a client")
    }

    /// A blocking client of all members.
    pub fn blocking(&self) -> Blocking {
        Blocking::open(self.options()).expect("a client")
    }

    /// What a client of all members is told.
    pub fn options(&self) -> Options {
        Options { servers: self.servers(), timeout: CEILING, ..Options::default() }
    }

    /// Waits until `member` knows by itself what the cluster knows: as many slots, and the same state after them.
    pub fn wait_until_level(&self, member: u8) {
        if let Err(why) = wait_until_level(&self.options(), self.server(member)) {
            panic!("{why}");
        }
    }

    /// The members' ids.
    pub fn members(&self) -> impl Iterator<Item = u8> + use<> {
        (1..).take(self.members.len())
    }

    /// The addresses for clients.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.members().map(|member| self.server(member)).collect()
    }

    /// The address of one member for clients.
    pub fn server(&self, member: u8) -> SocketAddr {
        let [a, b, first] = self.network;
        SocketAddr::from(([127, a, b, first + member], 7410))
    }

    /// Where a member shows its metrics and its health.
    pub fn watched(&self, member: u8) -> SocketAddr {
        SocketAddr::new(self.server(member).ip(), 7412)
    }

    /// The process of a member that runs.
    pub fn process(&self, member: u8) -> Option<u32> {
        self.members.get(usize::from(member) - 1)?.as_ref().map(Child::id)
    }

    /// Where a member's data is.
    pub fn data(&self, member: u8) -> PathBuf {
        self.directory.path().join(format!("data-{member}"))
    }

    /// Draws a key for clients, gives it to all members that start from now on, and says where a client finds it.
    pub fn client_key(&self, name: &str, role: &str) -> PathBuf {
        let own = self.directory.path().join(format!("{name}.key"));
        let mut command = Command::new(&self.program);
        command.args(["ftqctl", "key", "new", "--client", name, "--role", role, "--file"]).arg(&own);
        assert!(command.status().expect("ftqctl runs").success(), "a key is made");
        let line = fs::read_to_string(&own).expect("a key file");
        let mut keys = File::options().append(true).open(self.keys()).expect("the members' key file");
        keys.write_all(line.as_bytes()).expect("it can be written");
        own
    }

    /// The file with the keys of all members.
    pub fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    /// What the members have said.
    pub fn story(&self) -> String {
        let said = |member| format!("-- {member}\n{}", self.said(member));
        self.members().map(said).collect()
    }

    /// The configuration of a member.
    pub fn configuration(&self, member: u8) -> PathBuf {
        self.directory.path().join(format!("{member}.toml"))
    }

    /// What one member has said.
    pub fn said(&self, member: u8) -> String {
        fs::read_to_string(self.log(member)).unwrap_or_default()
    }

    /// Waits until a member has said this.
    pub fn wait_until_said(&self, text: &str) {
        let clock = Ticks::start();
        while !self.story().contains(text) {
            assert!(clock.passed() < CEILING, "nobody says: {text}");
            clock.pause();
        }
    }

    fn log(&self, member: u8) -> PathBuf {
        self.directory.path().join(format!("{member}.log"))
    }

    fn place(&mut self, member: u8) -> &mut Option<Child> {
        &mut self.members[usize::from(member) - 1]
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_all();
        if std::thread::panicking() {
            eprintln!("{}", self.story());
        }
    }
}
