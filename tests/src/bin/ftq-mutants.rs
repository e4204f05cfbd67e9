//! Tests of the tests: the protocol broken on purpose, each time noticed by a named invariant.
//!
//! Each patch in `tests/mutants` says in its head which invariants may catch it (`Caught-by: a, b`). It is
//! applied to a copy of the sources, the simulator is built from that, and seeds are run until one of the
//! named invariants breaks. A patch whose head has a line `Model: …` is for the model check instead, which is
//! run with these arguments.

use argh::FromArgs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{fs, str};

/// How many seeds run between two looks at what they said.
const PORTION: u64 = 100;

/// Breaks the protocol on purpose and sees that the simulator, or the model check, notices.
#[derive(FromArgs)]
struct Arguments {
    /// only see whether every patch applies and names its invariants
    #[argh(switch)]
    check: bool,
    /// how many seeds a mutant may survive (2000 if nothing is said)
    #[argh(option, default = "2_000")]
    seeds: u64,
    /// only the mutants whose name contains this
    #[argh(option)]
    only: Option<String>,
}

/// A way to break the protocol.
struct Mutant {
    name: String,
    patch: PathBuf,
    caught_by: Vec<String>,
    /// What the model check is told, if that is to notice it.
    model: Option<Vec<String>>,
}

/// What became of a mutant.
enum Fate {
    /// An invariant that was named for it broke, here.
    Caught(String, String),
    /// Only invariants that were not named for it broke.
    CaughtOtherwise(String),
    /// Nobody noticed.
    Survived,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ftq-mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let wanted = |mutant: &Mutant| arguments.only.as_ref().is_none_or(|only| mutant.name.contains(only));
    let mutants: Vec<Mutant> = mutants(&root)?.into_iter().filter(wanted).collect();
    let (mut passed, mut failed) = (0, 0);
    for mutant in &mutants {
        let (good, said) = if arguments.check {
            (apply(&root, &mutant.patch, true)? && !mutant.caught_by.is_empty(), String::from("applies"))
        } else {
            let fate = try_out(&root, mutant, arguments.seeds)?;
            (matches!(fate, Fate::Caught(..)), describe(&fate))
        };
        println!("{} {:<40} {said}", if good { "ok  " } else { "FAIL" }, mutant.name);
        if good { passed += 1 } else { failed += 1 }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}

/// All mutants, by name.
fn mutants(root: &Path) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for entry in fs::read_dir(root.join("tests/mutants"))? {
        let patch = entry?.path();
        let Some(name) = patch.file_stem().and_then(|name| name.to_str()).map(String::from) else { continue };
        if patch.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        let text = fs::read_to_string(&patch)?;
        let named = text.lines().find_map(|line| line.strip_prefix("Caught-by: ")).unwrap_or_default();
        let caught_by = named.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect();
        let model = text.lines().find_map(|line| line.strip_prefix("Model:"));
        let model = model.map(|line| line.split_whitespace().map(String::from).collect());
        mutants.push(Mutant { name, patch, caught_by, model });
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

/// Applies a patch to a tree, or only sees whether it would apply.
fn apply(tree: &Path, patch: &Path, only_check: bool) -> Result<bool> {
    let mut git = Command::new("git");
    git.current_dir(tree).arg("apply").arg("--recount");
    // The copy lies inside the repository: without this git would look for the files at its top.
    git.env("GIT_CEILING_DIRECTORIES", tree.parent().unwrap_or(tree));
    if only_check {
        git.arg("--check");
    }
    Ok(git.arg(patch).status()?.success())
}

/// Builds what is to notice the mutant, with the mutant in it, and runs that until it does.
fn try_out(root: &Path, mutant: &Mutant, seeds: u64) -> Result<Fate> {
    let place = root.join("target/mutants");
    let tree = place.join("tree");
    copy_sources(root, &tree)?;
    if !apply(&tree, &mutant.patch, false)? {
        return Err(Error::other(format!("{} does not apply", mutant.name)));
    }
    let binary = if mutant.model.is_some() { "ftq-model" } else { "ftq-sim" };
    let build = Command::new("cargo")
        .current_dir(&tree)
        .args(["build", "--quiet", "--locked", "-p", "ftq-tests", "--no-default-features", "--bin", binary])
        .env("CARGO_TARGET_DIR", place.join("build"))
        .env("RUSTFLAGS", "-Awarnings")
        .status()?;
    if !build.success() {
        return Err(Error::other(format!("{} does not build", mutant.name)));
    }
    let binary = place.join("build/debug").join(binary);
    match &mutant.model {
        Some(arguments) => model(&binary, mutant, arguments),
        None => simulate(&binary, mutant, seeds),
    }
}

/// Runs seeds until one of the named invariants breaks.
fn simulate(binary: &Path, mutant: &Mutant, seeds: u64) -> Result<Fate> {
    let mut otherwise = None;
    for portion in 0..seeds.div_ceil(PORTION) {
        let from = portion * PORTION + 1;
        let output =
            Command::new(binary).args(["--from", &from.to_string(), "--seeds", &PORTION.to_string()]).output()?;
        for (seed, invariant) in str::from_utf8(&output.stdout).unwrap_or_default().lines().filter_map(broken) {
            if mutant.caught_by.contains(&invariant) {
                return Ok(Fate::Caught(invariant, format!("in seed {seed}")));
            }
            otherwise = Some(invariant);
        }
    }
    Ok(otherwise.map_or(Fate::Survived, Fate::CaughtOtherwise))
}

/// Runs the model check, and sees whether one of the named invariants breaks.
fn model(binary: &Path, mutant: &Mutant, arguments: &[String]) -> Result<Fate> {
    let output = Command::new(binary).args(arguments).output()?;
    let said = str::from_utf8(&output.stdout).unwrap_or_default();
    let Some((invariant, _)) = said.lines().find_map(|line| line.strip_prefix("broken: ")?.split_once(": ")) else {
        return Ok(Fate::Survived);
    };
    let states = said.lines().find(|line| line.contains("distinct states")).unwrap_or_default();
    Ok(if mutant.caught_by.iter().any(|name| name == invariant) {
        Fate::Caught(invariant.to_owned(), format!("of the model, {states}"))
    } else {
        Fate::CaughtOtherwise(invariant.to_owned())
    })
}

/// The seed and the invariant of a line `seed 7: same-content at …`.
fn broken(line: &str) -> Option<(u64, String)> {
    let (seed, what) = line.strip_prefix("seed ")?.split_once(": ")?;
    Some((seed.parse().ok()?, what.split_whitespace().next()?.to_string()))
}

fn describe(fate: &Fate) -> String {
    match fate {
        Fate::Caught(invariant, place) => format!("caught by {invariant} {place}"),
        Fate::CaughtOtherwise(invariant) => format!("caught only by {invariant}, which is not named for it"),
        Fate::Survived => String::from("survived"),
    }
}

/// A fresh copy of what the simulator is built from. Files that did not change keep their times, so that
/// only what a mutant touches is built again.
fn copy_sources(root: &Path, tree: &Path) -> Result<()> {
    let listed = Command::new("git").current_dir(root).args(["ls-files", "-z"]).output()?;
    for file in listed.stdout.split(|byte| *byte == 0).filter_map(|name| str::from_utf8(name).ok()) {
        let (from, to) = (root.join(file), tree.join(file));
        if file.is_empty() || !from.is_file() {
            continue;
        }
        let text = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|there| there == text) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&to, text)?;
    }
    Ok(())
}
