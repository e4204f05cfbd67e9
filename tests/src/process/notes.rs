//! What a client writes down: a line before it asks for something, and a line when it was told how that ended.
//!
//! A client asks for one thing at a time. So notes of a client that was killed say what it was waiting for.

use std::fmt;
use std::str::FromStr;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It asks to push this item.
    Pushes(String),
    /// The push was acknowledged.
    Pushed,
    /// It asks for an item.
    Pops,
    /// This item came out.
    Popped(String),
    /// There was none.
    Nothing,
    /// It asks for a number.
    Draws,
    /// It got this one.
    Drawn(u64),
    /// What it asked for was not done.
    Refused,
    /// What it asked for may have been done.
    Unknown,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Pushes(item) => write!(f, "pushes {item}"),
            Note::Pushed => write!(f, "pushed"),
            Note::Pops => write!(f, "pops"),
            Note::Popped(item) => write!(f, "popped {item}"),
            Note::Nothing => write!(f, "nothing"),
            Note::Draws => write!(f, "draws"),
            Note::Drawn(number) => write!(f, "drawn {number}"),
            Note::Refused => write!(f, "refused"),
            Note::Unknown => write!(f, "unknown"),
        }
    }
}

impl FromStr for Note {
    type Err = String;

    fn from_str(line: &str) -> Result<Note, String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Ok(match (word, rest) {
            ("pushes", item) => Note::Pushes(item.to_owned()),
            ("pushed", "") => Note::Pushed,
            ("pops", "") => Note::Pops,
            ("popped", item) => Note::Popped(item.to_owned()),
            ("nothing", "") => Note::Nothing,
            ("draws", "") => Note::Draws,
            ("drawn", number) => Note::Drawn(number.parse().map_err(|_| format!("{line}: that is no number"))?),
            ("refused", "") => Note::Refused,
            ("unknown", "") => Note::Unknown,
            (_, _) => return Err(format!("{line}: that is no note")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let item = || "1-2".to_owned();
        let all = [
            Note::Pushes(item()),
            Note::Pushed,
            Note::Pops,
            Note::Popped(item()),
            Note::Nothing,
            Note::Draws,
            Note::Drawn(7),
            Note::Refused,
            Note::Unknown,
        ];
        for note in all {
            assert_eq!(note.to_string().parse(), Ok(note));
        }
        for line in ["", "pushed 1", "drawn", "drawn x", "lost"] {
            assert!(line.parse::<Note>().is_err(), "{line}");
        }
    }
}
