//! One table of the file: its fields are taken by name and type, and whatever is left is none of ours.
//!
//! Always: each field that is wrong is a problem at its line, and the rest is read as if it were not there.

use super::problems::Problems;
use std::ops::RangeInclusive;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How different an unknown key may be from a known one to be taken for a slip: letters to change, at most.
const SLIP: usize = 3;

/// The fields of one table.
pub(super) struct Fields<'t, 'p> {
    /// What the table is called in a problem, with a point behind it; nothing for the file itself.
    name: &'static str,
    text: &'t str,
    line: usize,
    table: DeTable<'t>,
    asked: Vec<&'static str>,
    found: Vec<&'static str>,
    pub(super) problems: &'p mut Problems,
}

/// A value, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

impl<'t, 'p> Fields<'t, 'p> {
    /// The fields of a whole file.
    pub(super) fn of_file(text: &'t str, problems: &'p mut Problems) -> Fields<'t, 'p> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(0, |span| line_at(text, span.start));
            problems.add(line, error.message().replace('\n', ", "));
        }
        Fields { name: "", text, line: 0, table: table.into_inner(), asked: Vec::new(), found: Vec::new(), problems }
    }

    /// Something is wrong with a field.
    pub(super) fn wrong(&mut self, line: usize, key: &str, what: impl AsRef<str>) {
        self.problems.add(line, format!("{}{key}: {}", self.name, what.as_ref()));
    }

    /// This has to be there.
    pub(super) fn require(&mut self, key: &str, what: &str) {
        if !self.found.contains(&key) {
            self.wrong(self.line, key, what);
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Field<String>> {
        let Field { value, line } = self.take(key)?;
        let DeValue::String(text) = value else { return self.mistyped(key, line, "a text in quotes", &value) };
        Some(Field { value: text.into_owned(), line })
    }

    /// A text that is read further; what is wrong with it is said at its line.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Field<T>> {
        let Field { value, line } = self.text(key)?;
        match parse(&value) {
            Ok(value) => Some(Field { value, line }),
            Err(what) => {
                self.wrong(line, key, format!("{value:?}: {what}"));
                None
            }
        }
    }

    /// A text or several, each of which is read further; what is wrong with one is said at its line, and then there is none.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Field<Vec<Field<T>>>> {
        let Field { value, line } = self.take(key)?;
        let texts: Vec<(usize, DeValue<'t>)> = if let DeValue::Array(list) = value {
            list.into_iter().map(|item| (line_at(self.text, item.span().start), item.into_inner())).collect()
        } else {
            vec![(line, value)]
        };
        let count = texts.len();
        let mut read = Vec::new();
        for (line, value) in texts {
            let DeValue::String(text) = &value else {
                return self.mistyped(key, line, "a text in quotes, or a list of such", &value);
            };
            match parse(text) {
                Ok(value) => read.push(Field { value, line }),
                Err(what) => self.wrong(line, key, format!("{text:?}: {what}")),
            }
        }
        (read.len() == count).then_some(Field { value: read, line })
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<Field<T>> {
        self.parsed(key, |text| {
            let names = || words.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
            words
                .iter()
                .find(|(name, _)| *name == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| format!("it can be {}", names()))
        })
    }

    /// A whole number in a range.
    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Field<u64>> {
        let Field { value, line } = self.take(key)?;
        let DeValue::Integer(digits) = &value else { return self.mistyped(key, line, "a number", &value) };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong(line, key, format!("{}: it can be {} to {}", digits.as_str(), range.start(), range.end()));
        }
        number.map(|value| Field { value, line })
    }

    /// A number of bytes in a range: as a number, or as a text with a unit.
    pub(super) fn bytes(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Field<u64>> {
        let is_text = self.table.iter().any(|(name, value)| name.get_ref() == key && value.get_ref().is_str());
        if !is_text {
            return self.number(key, range);
        }
        self.parsed(key, |text| {
            let bytes = parse_bytes(text).ok_or("a size is a number, or for example \"64 MiB\"")?;
            if range.contains(&bytes) {
                return Ok(bytes);
            }
            Err(format!("it can be {} to {}", format_bytes(*range.start()), format_bytes(*range.end())))
        })
    }

    /// The tables of a list.
    pub(super) fn tables(&mut self, key: &'static str) -> Option<Field<Vec<(DeTable<'t>, usize)>>> {
        let Field { value, line } = self.take(key)?;
        let DeValue::Array(list) = value else { return self.mistyped(key, line, "a list: [[members]] …", &value) };
        let mut tables = Vec::new();
        for item in list {
            let line = line_at(self.text, item.span().start);
            let item = item.into_inner();
            if let DeValue::Table(table) = item {
                tables.push((table, line));
            } else {
                self.mistyped(key, line, "a list of tables", &item).unwrap_or_default()
            }
        }
        Some(Field { value: tables, line })
    }

    /// The fields of one of them.
    pub(super) fn within(&mut self, name: &'static str, table: DeTable<'t>, line: usize) -> Fields<'t, '_> {
        Fields { name, text: self.text, line, table, asked: Vec::new(), found: Vec::new(), problems: self.problems }
    }

    /// All fields were asked for: what is left is unknown.
    pub(super) fn end(self) {
        for (key, _) in self.table.iter() {
            let line = line_at(self.text, key.span().start);
            let nearest = self.asked.iter().min_by_key(|known| strsim::damerau_levenshtein(known, key.get_ref()));
            let slip = nearest.filter(|known| strsim::damerau_levenshtein(known, key.get_ref()) <= SLIP);
            let hint = match slip {
                Some(known) => format!("did you mean {known}?"),
                None => format!("there are {}", self.asked.join(", ")),
            };
            self.problems.add(line, format!("{}{}: there is no such key; {hint}", self.name, key.get_ref()));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Field<DeValue<'t>>> {
        self.asked.push(key);
        let (name, value) = self.table.remove_entry(key)?;
        self.found.push(key);
        Some(Field { value: Spanned::into_inner(value), line: line_at(self.text, name.span().start) })
    }

    fn mistyped<T>(&mut self, key: &str, line: usize, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        self.wrong(line, key, format!("this has to be {wanted}, and is of the type {}", found.type_str()));
        None
    }
}

/// The line, counted from 1, of a place in a text.
fn line_at(text: &str, place: usize) -> usize {
    1 + text.bytes().take(place).filter(|byte| *byte == b'\n').count()
}

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A size with a unit.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let (_, times) = UNITS.iter().find(|(name, _)| *name == unit || (unit.is_empty() && *name == "B"))?;
    digits.trim().parse::<u64>().ok()?.checked_mul(*times)
}

/// A size with the largest unit that leaves it whole.
pub(crate) fn format_bytes(bytes: u64) -> String {
    let fits = |times: u64| bytes >= times && bytes.is_multiple_of(times);
    let (name, times) = UNITS.iter().find(|(_, times)| fits(*times)).unwrap_or(&("B", 1));
    format!("{} {name}", bytes / times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [("0 B", 0), ("64 MiB", 64 << 20), ("1 GiB", 1 << 30), ("1500 B", 1_500), ("3 KiB", 3_072)]
        {
            assert_eq!(parse_bytes(text), Some(bytes));
            assert_eq!(format_bytes(bytes), text);
        }
        assert_eq!(parse_bytes("64MiB"), Some(64 << 20));
        assert_eq!(parse_bytes("17"), Some(17));
        for bad in ["", "MiB", "1 MB", "-1 MiB", "1.5 MiB", "99999999999 GiB"] {
            assert_eq!(parse_bytes(bad), None, "{bad}");
        }
    }
}
