//! What can be typed into a playground.

use ftq_core::ids::{MemberId, MemberSet};

pub(super) const HELP: &str = "  stop 2     replica 2 hands over and stops, as on SIGTERM
  kill 2     replica 2 is gone without a word
  start 2    it runs again, with its data
  cut 1 2    nothing passes between 1 and 2
  cut 3      nothing passes between 3 and all others
  heal       everything passes again
  help       these lines
  quit       ends it, as Ctrl-C does; the data goes away";

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Stop(MemberId),
    Kill(MemberId),
    Start(MemberId),
    /// Between one and others.
    Cut(MemberId, MemberSet),
    Heal,
    Quit,
}

impl Command {
    /// Reads a line, if there is something in it; `all` are those who play.
    pub(super) fn read(line: &str, all: MemberSet) -> Result<Option<Command>, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let member = |text: &str| {
            let id = text.parse().ok().and_then(MemberId::new).filter(|id| all.contains(*id));
            id.ok_or_else(|| format!("{text}: there are the replicas {all}"))
        };
        let command = match words.as_slice() {
            [] => return Ok(None),
            ["help"] => Command::Help,
            ["stop", id] => Command::Stop(member(id)?),
            ["kill", id] => Command::Kill(member(id)?),
            ["start", id] => Command::Start(member(id)?),
            ["cut", id] => Command::Cut(member(id)?, all),
            ["cut", one, other] => Command::Cut(member(one)?, [member(other)?].into_iter().collect()),
            ["heal"] => Command::Heal,
            ["quit"] => Command::Quit,
            _ => return Err(format!("{line}: this can be said:\n{HELP}")),
        };
        Ok(Some(command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_understood_or_explained() {
        let id = |id| MemberId::new(id).expect("an id");
        let all: MemberSet = [1, 2, 3].map(id).into_iter().collect();
        assert_eq!(Command::read("  ", all), Ok(None));
        assert_eq!(Command::read(" kill  2 ", all), Ok(Some(Command::Kill(id(2)))));
        assert_eq!(Command::read("cut 3", all), Ok(Some(Command::Cut(id(3), all))));
        assert_eq!(Command::read("cut 1 2", all), Ok(Some(Command::Cut(id(1), [id(2)].into_iter().collect()))));
        for (line, said) in
            [("stop", "can be said"), ("stop 4", "4: there are"), ("start x", "x: there are"), ("?", "heal")]
        {
            assert!(Command::read(line, all).is_err_and(|what| what.contains(said)), "{line}");
        }
    }
}
