//! `ctl.toml`: which replicas are meant when the command line does not say.
//!
//! ```toml
//! default = "home"                         # the context without --context; may be left out
//!
//! [context.home]
//! servers = ["192.0.2.1", "192.0.2.2:7410"]
//! key = "billing.key"                      # beside this file, unless it is a whole path
//! timeout = 10
//! output = "table"
//! ```
//! It is in `$XDG_CONFIG_HOME/ftq`, else in `~/.config/ftq`. What the command line says goes first.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::words::{self, Output, PORT};
use ftq_client::Options;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

/// For how long a call is tried.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Option<String>,
    #[serde(default)]
    context: BTreeMap<String, Context>,
}

/// What is meant when nothing is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    #[serde(default)]
    servers: Vec<String>,
    key: Option<PathBuf>,
    timeout: Option<f64>,
    output: Option<String>,
}

/// Whom to ask, and how to show what they say.
pub(crate) fn meant(arguments: &Arguments) -> Result<(Options, Output), Failure> {
    let context = match file() {
        Some(path) => chosen(&path, arguments.context.as_deref())?,
        None => chosen_of(File::default(), arguments.context.as_deref(), Path::new("ctl.toml"))?,
    };
    let usage = |what: String| Failure::Usage(format!("ctl.toml: {what}"));
    let mut servers = arguments.server.clone();
    if servers.is_empty() {
        servers = context.servers.iter().map(|text| words::server(text)).collect::<Result<_, _>>().map_err(usage)?;
    }
    if servers.is_empty() {
        servers = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))];
    }
    let key = arguments.key.as_ref().or(context.key.as_ref());
    let key = key.map(|path| ftq_client::key(path)).transpose().map_err(|error| Failure::Usage(error.to_string()))?;
    let elsewhere = servers.iter().find(|server| !server.ip().to_canonical().is_loopback());
    if let (Some(server), None) = (elsewhere, &key) {
        return Err(Failure::Usage(format!(
            "{server} is on another machine, so what it is told has to be sealed: give --key with a client's key file"
        )));
    }
    let timeout = context.timeout.map(|seconds| words::timeout(&seconds.to_string())).transpose().map_err(usage)?;
    let output = context.output.map(|text| words::output(&text)).transpose().map_err(usage)?;
    let timeout = arguments.timeout.or(timeout).unwrap_or(TIMEOUT);
    let options = Options { servers, key, timeout, ..Options::default() };
    Ok((options, arguments.output.or(output).unwrap_or_default()))
}

/// Where the file would be.
fn file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(directory.join("ftq/ctl.toml"))
}

fn chosen(path: &Path, name: Option<&str>) -> Result<Context, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::Usage(format!("{}: {error}", path.display()))),
    };
    let file = toml::from_str(&text).map_err(|error| {
        let lines: Vec<&str> = error.message().split_whitespace().collect();
        Failure::Usage(format!("{}: {}", path.display(), lines.join(" ")))
    })?;
    let mut context = chosen_of(file, name, path)?;
    if let (Some(key), Some(directory)) = (&mut context.key, path.parent()) {
        *key = directory.join(&*key);
    }
    Ok(context)
}

fn chosen_of(mut file: File, name: Option<&str>, path: &Path) -> Result<Context, Failure> {
    let Some(name) = name.or(file.default.as_deref()) else { return Ok(Context::default()) };
    let names: Vec<&str> = file.context.keys().map(String::as_str).collect();
    let there_are =
        if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
    let missing = format!("{}: there is no context {name}; {there_are}", path.display());
    let name = name.to_owned();
    file.context.remove(&name).ok_or(Failure::Usage(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "default = \"home\"\n[context.home]\nservers = [\"::1\"]\nkey = \"k\"\n[context.away]\ntimeout = 3\n";

    #[test]
    fn the_default_or_the_named_context_is_chosen() {
        let file = || toml::from_str::<File>(TEXT).expect("a file");
        let path = Path::new("ctl.toml");
        assert_eq!(chosen_of(file(), None, path).expect("home").servers, ["::1"]);
        assert_eq!(chosen_of(file(), Some("away"), path).expect("away").timeout, Some(3.0));
        let missing = chosen_of(file(), Some("hoem"), path).expect_err("it is not there");
        assert_eq!(
            (missing.code(), missing.to_string().as_str()),
            (64, "ctl.toml: there is no context hoem; there are away, home")
        );
        assert!(chosen_of(File::default(), None, path).expect("none is needed").servers.is_empty());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(toml::from_str::<File>("[context.x]\nservers = []\ncolour = 1\n").is_err());
        assert!(toml::from_str::<File>("contexts = 1\n").is_err());
    }
}
