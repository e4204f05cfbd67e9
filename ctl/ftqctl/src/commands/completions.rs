//! What makes a shell complete command lines: made of the same definitions as the help.

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::shown::{self, Kept};
use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind};
use std::collections::BTreeSet;

/// One command, or command of a command, and what may stand behind it.
struct Place {
    /// The words that lead there, without the program's name.
    path: Vec<String>,
    description: String,
    commands: Vec<String>,
    flags: Vec<Flag>,
}

#[derive(Clone)]
struct Flag {
    long: String,
    short: Option<char>,
    takes_one: bool,
    is_file: bool,
    description: String,
}

/// Prints it for this shell.
pub(super) fn print(shell: &str) -> Result<(), Failure> {
    let places = places(&Arguments::get_args_info());
    let script = match shell {
        "bash" => bash(&places),
        "zsh" => zsh(&places),
        "fish" => fish(&places),
        _ => return Err(Failure::Usage(format!("{shell}: it can be bash, zsh or fish"))),
    };
    shown::print(script.as_bytes(), Kept::There)
}

fn places(all: &CommandInfoWithArgs) -> Vec<Place> {
    let mut places = vec![place(all, Vec::new(), &[])];
    let global = flags(all);
    let mut left: Vec<(Vec<String>, &CommandInfoWithArgs)> = vec![(Vec::new(), all)];
    while let Some((path, command)) = left.pop() {
        for next in command.commands.iter().rev() {
            let path: Vec<String> = path.iter().cloned().chain([next.name.to_owned()]).collect();
            places.push(place(&next.command, path.clone(), &global));
            left.push((path, &next.command));
        }
    }
    places.sort_by(|one, other| one.path.cmp(&other.path));
    places
}

fn place(command: &CommandInfoWithArgs, path: Vec<String>, global: &[Flag]) -> Place {
    let mut flags = flags(command);
    for flag in global {
        if !flags.iter().any(|own| own.long == flag.long) {
            flags.push(flag.clone());
        }
    }
    Place {
        path,
        description: first_sentence(command.description),
        commands: command.commands.iter().map(|command| command.name.to_owned()).collect(),
        flags,
    }
}

fn flags(command: &CommandInfoWithArgs) -> Vec<Flag> {
    let of = |flag: &argh::FlagInfo| {
        let value = match flag.kind {
            FlagInfoKind::Option { arg_name } => Some(arg_name),
            FlagInfoKind::Switch => None,
        };
        Flag {
            long: flag.long.to_owned(),
            short: flag.short,
            takes_one: value.is_some(),
            is_file: value == Some("file"),
            description: first_sentence(flag.description),
        }
    };
    command.flags.iter().map(of).collect()
}

/// Without what a shell's quotes would trip over.
fn first_sentence(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let end = text.find(". ").or_else(|| text.find(": ")).unwrap_or(text.len());
    text[..end]
        .trim_end_matches('.')
        .chars()
        .filter(|c| !matches!(c, '\'' | '"' | '`' | '$' | '\\' | '[' | ']'))
        .collect()
}

/// The options that a value follows.
fn taking(places: &[Place]) -> BTreeSet<&str> {
    let flags = places.iter().flat_map(|place| &place.flags);
    flags.filter(|flag| flag.takes_one).map(|flag| flag.long.as_str()).collect()
}

/// The commands as a pattern of a shell's `case`.
fn paths(places: &[Place]) -> String {
    let commands = places.iter().filter(|place| !place.path.is_empty());
    commands.map(|place| format!("'{}'", place.path.join(" "))).collect::<Vec<_>>().join(" | ")
}

/// What the command is for that has this name below another one.
fn described<'a>(places: &'a [Place], above: &[String], name: &str) -> &'a str {
    let is_it = |place: &&Place| place.path.split_last().is_some_and(|(last, path)| last == name && path == above);
    places.iter().find(is_it).map_or("", |place| &place.description)
}

fn bash(places: &[Place]) -> String {
    let mut cases = String::new();
    for Place { path, commands, flags, .. } in places {
        let words = commands.iter().map(String::as_str).chain(flags.iter().map(|flag| flag.long.as_str()));
        let words: Vec<&str> = words.collect();
        cases.push_str(&format!("        '{}') words='{}' ;;\n", path.join(" "), words.join(" ")));
    }
    format!(
        r#"# Completes the command lines of ftqctl in bash; printed by `ftqctl completions bash`.
_ftqctl() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} path= words at skip=
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [ -n "$skip" ]; then skip=; continue; fi
        case ${{COMP_WORDS[at]}} in
        -o | {taking}) skip=1 ;;
        -*) ;;
        *)
            case "${{path:+$path }}${{COMP_WORDS[at]}}" in
            {paths}) path=${{path:+$path }}${{COMP_WORDS[at]}} ;;
            esac
            ;;
        esac
    done
    case $before in
    --key | --file) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    -o | --output) mapfile -t COMPREPLY < <(compgen -W 'table json' -- "$word"); return ;;
    {taking}) return ;;
    esac
    case $path in
{cases}    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -F _ftqctl ftqctl
"#,
        taking = taking(places).into_iter().collect::<Vec<_>>().join(" | "),
        paths = paths(places),
    )
}

fn zsh(places: &[Place]) -> String {
    let mut cases = String::new();
    let word = |name: &str, description: &str| format!("'{}:{description}'", name.replace(':', "\\:"));
    for Place { path, commands, flags, .. } in places {
        let commands = commands.iter().map(|name| word(name, described(places, path, name)));
        let flags = flags.iter().map(|flag| word(&flag.long, &flag.description));
        let words: Vec<String> = commands.chain(flags).collect();
        cases.push_str(&format!("    '{}') words=({}) ;;\n", path.join(" "), words.join(" ")));
    }
    format!(
        r#"#compdef ftqctl
# Completes the command lines of ftqctl in zsh; printed by `ftqctl completions zsh`.
_ftqctl() {{
    local path_= at skip=
    local -a words_ taken
    local -a words=("${{words[@]}}")
    taken=("${{words[@]:1:$((CURRENT - 2))}}")
    for at in "${{taken[@]}}"; do
        if [[ -n $skip ]]; then skip=; continue; fi
        case $at in
        -o|{taking}) skip=1 ;;
        -*) ;;
        *)
            case "${{path_:+$path_ }}$at" in
            {paths}) path_="${{path_:+$path_ }}$at" ;;
            esac
            ;;
        esac
    done
    case ${{words[CURRENT-1]}} in
    --key|--file) _files; return ;;
    -o|--output) compadd table json; return ;;
    {taking}) return ;;
    esac
    case $path_ in
{cases}    esac
    _describe command words
}}
compdef _ftqctl ftqctl
"#,
        taking = taking(places).into_iter().collect::<Vec<_>>().join("|"),
        paths = paths(places),
    )
}

fn fish(places: &[Place]) -> String {
    let mut script = "# Completes the command lines of ftqctl in fish; printed by `ftqctl completions fish`.\n\
                      complete -c ftqctl -f\n"
        .to_owned();
    for Place { path, commands, flags, .. } in places {
        let condition = match path.as_slice() {
            [] => "__fish_use_subcommand".to_owned(),
            [command] => format!("__fish_seen_subcommand_from {command}"),
            [command, next @ ..] => {
                format!("__fish_seen_subcommand_from {command}; and __fish_seen_subcommand_from {}", next.join(" "))
            }
        };
        for command in commands {
            let description = described(places, path, command);
            script.push_str(&format!("complete -c ftqctl -n '{condition}' -a {command} -d '{description}'\n"));
        }
        for flag in flags {
            let short = flag.short.map_or(String::new(), |short| format!(" -s {short}"));
            let value = match (flag.takes_one, flag.is_file) {
                (true, true) => " -r -F",
                (true, false) => " -x",
                (false, _) => "",
            };
            let long = flag.long.trim_start_matches('-');
            let description = &flag.description;
            script
                .push_str(&format!("complete -c ftqctl -n '{condition}' -l {long}{short}{value} -d '{description}'\n"));
        }
    }
    script
}
