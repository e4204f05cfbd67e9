//! The command line before it is read: the options that every command takes come to the front, wherever they
//! stand, and what can't be read is answered with what was meant, perhaps.

use crate::arguments::Arguments;
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind, FromArgs};
use std::ffi::OsString;

/// As far as this a word may be from what was meant: two letters that are missing, too many, wrong or swapped.
const FAR: usize = 2;

/// Why the command line leads to no command.
#[derive(Debug)]
pub(crate) enum Early {
    /// Help was asked for.
    Help(String),
    /// It is wrong.
    Wrong(String),
}

/// Reads a command line, without the program's name.
pub(crate) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, Early> {
    let words = arguments.map(OsString::into_string).collect::<Result<Vec<String>, OsString>>();
    let words = words.map_err(|bad| Early::Wrong(format!("{} is not valid text", bad.to_string_lossy())))?;
    let all = Arguments::get_args_info();
    let words = in_order(&all, words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Arguments::from_args(&["ftqctl"], &words).map_err(|early| match early.status {
        Ok(()) => Early::Help(early.output),
        Err(()) => Early::Wrong(complaint(&all, &words, &early.output)),
    })
}

/// The same words, first those of the options that every command takes. `--name=value` becomes two words. What
/// stands behind `--` stays where it is.
fn in_order(all: &CommandInfoWithArgs, words: Vec<String>) -> Vec<String> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            rest.push(word);
            break;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            Some(_) | None => (word, None),
        };
        let flag = all.flags.iter().find(|flag| is(flag, &name));
        let place = if flag.is_some_and(|flag| flag.long != "--help") { &mut first } else { &mut rest };
        place.push(name);
        let takes_one = matches!(flag.map(|flag| &flag.kind), Some(FlagInfoKind::Option { .. }));
        place.extend(value.or_else(|| if takes_one { words.next() } else { None }));
    }
    first.into_iter().chain(rest).chain(words).collect()
}

fn is(flag: &argh::FlagInfo, word: &str) -> bool {
    let short = flag.short.is_some_and(|short| word.strip_prefix('-').is_some_and(|word| word == short.to_string()));
    short || flag.long == word
}

/// What is wrong, as one line.
fn complaint(all: &CommandInfoWithArgs, words: &[&str], said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines.join(" ");
    let Some(unknown) = said.strip_prefix("Unrecognized argument: ") else { return said };
    let unknown = unknown.split_whitespace().next().unwrap_or_default();
    let (path, command) = reached(all, words);
    let is_flag = unknown.starts_with('-');
    let known: Vec<&str> = if is_flag {
        command.flags.iter().chain(all.flags).map(|flag| flag.long).collect()
    } else {
        command.commands.iter().map(|command| command.name).collect()
    };
    let kind = if is_flag { "option" } else { "command" };
    let meant = match nearest(unknown, &known) {
        Some(nearest) => format!("did you mean `{nearest}`? "),
        None => String::new(),
    };
    format!("{unknown}: there is no such {kind}; {meant}`{path} --help` lists what there is")
}

/// The command, or the command of a command, that the words lead to, and how it is called.
fn reached<'a>(all: &'a CommandInfoWithArgs, words: &[&str]) -> (String, &'a CommandInfoWithArgs) {
    let (mut path, mut command) = ("ftqctl".to_owned(), all);
    for word in words {
        if let Some(next) = command.commands.iter().find(|next| next.name == *word) {
            path = format!("{path} {word}");
            command = &next.command;
        }
    }
    (path, command)
}

fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| strsim::osa_distance(word, known);
    let nearest = known.iter().copied().min_by_key(|known| distance(known))?;
    // Of a short word two letters are most of it.
    (distance(nearest) <= FAR.min(word.len() / 2)).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> String {
        match read(line.split_whitespace().map(OsString::from)) {
            Err(Early::Wrong(what)) => what,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_for_all_commands_stand_before_and_after() {
        let lines = [
            "--server ::1 --timeout 3 -o json pop letters --count 2",
            "pop letters --count 2 --server ::1 -o json --timeout 3",
            "pop --timeout=3 --server=::1 letters --output=json --count=2",
        ];
        let read = |line: &str| format!("{:?}", read(line.split_whitespace().map(OsString::from)).expect(line));
        assert_eq!(read(lines[0]), read(lines[1]));
        assert_eq!(read(lines[0]), read(lines[2]));
        assert!(read(lines[0]).contains("[::1]:7410"));
    }

    #[test]
    fn behind_two_dashes_nothing_is_an_option() {
        let line = ["push", "letters", "--", "--timeout", "-o", "--a=b"].map(OsString::from);
        let read = format!("{:?}", read(line.into_iter()).expect("it is a push"));
        assert!(read.contains(r#"items: ["--timeout", "-o", "--a=b"]"#), "{read}");
        let line = ["work", "letters", "--lease", "5", "--", "sh", "-c", "--lease"].map(OsString::from);
        let read = format!("{:?}", super::read(line.into_iter()).expect("it is work"));
        assert!(read.contains(r#"command: ["sh", "-c", "--lease"], lease: 5s"#), "{read}");
    }

    #[test]
    fn what_is_not_known_is_answered_with_the_nearest() {
        assert_eq!(
            wrong("pussh letters"),
            "pussh: there is no such command; did you mean `push`? `ftqctl --help` lists what there is"
        );
        assert_eq!(
            wrong("pop letters --cuont 2"),
            "--cuont: there is no such option; did you mean `--count`? `ftqctl pop --help` lists what there is"
        );
        assert!(wrong("pop letters --sever ::1").contains("did you mean `--server`?"));
        assert!(wrong("dead lst letters").contains("did you mean `list`? `ftqctl dead --help`"));
        assert!(!wrong("frobnicate").contains("did you mean"));
        assert!(!wrong("-x pop").contains("did you mean"));
    }
}
