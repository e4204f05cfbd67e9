//! What is shown: tables and values for people and scripts, or one JSON document.
//!
//! Nothing is coloured, so there is nothing to switch off. Items are shown as they are, byte by byte, in JSON as
//! text, or in base64 where they are none.

use crate::failure::Failure;
use crate::words::Output;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ftq_client::{MemberId, MemberSet};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::ops::Range;

/// Whether what is shown is gone from where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It can be asked for again.
    There,
    /// It goes back where it was after a while.
    Leased,
    /// Nowhere but here.
    Gone,
}

/// A row of a table: what each column has, and what JSON calls it.
pub(crate) type Row = Vec<(&'static str, Value)>;

impl Output {
    /// Nothing more to say than that it is done: `fields` tell in JSON what was.
    pub(crate) fn done(self, fields: Row) -> Result<(), Failure> {
        match self {
            Output::Table => Ok(()),
            Output::Json => self.document(&object(fields), Kept::There),
        }
    }

    /// One value, a line.
    pub(crate) fn value(self, name: &'static str, value: Value) -> Result<(), Failure> {
        match self {
            Output::Table => print(&[text(&value).as_bytes(), b"\n"].concat(), Kept::There),
            Output::Json => self.document(&json!({ name: value }), Kept::There),
        }
    }

    /// A table with one row for each thing; `name` is what all of them are called in JSON.
    pub(crate) fn rows(self, name: &'static str, columns: &[&'static str], rows: Vec<Row>) -> Result<(), Failure> {
        match self {
            Output::Table => print(table(columns, &rows).as_bytes(), Kept::There),
            Output::Json => {
                let rows: Vec<Value> = rows.into_iter().map(object).collect();
                self.document(&json!({ name: rows }), Kept::There)
            }
        }
    }

    /// The same as one document with more beside the rows.
    pub(crate) fn rows_with(self, name: &'static str, rows: Vec<Row>, more: Row) -> Result<(), Failure> {
        let rows: Vec<Value> = rows.into_iter().map(object).collect();
        let all = [(name, json!(rows))].into_iter().chain(more).collect();
        self.document(&object(all), Kept::There)
    }

    /// Names and values, one below the other.
    pub(crate) fn fields(self, fields: Row) -> Result<(), Failure> {
        match self {
            Output::Table => {
                let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                let lines: String =
                    fields.iter().map(|(name, value)| format!("{name:<width$}  {}\n", text(value))).collect();
                print(lines.as_bytes(), Kept::There)
            }
            Output::Json => self.document(&object(fields), Kept::There),
        }
    }

    /// What stands above lines of a table that are shown one after the other.
    pub(crate) fn log_begins(self, head: &str) -> Result<(), Failure> {
        match self {
            Output::Table => self.line(head),
            Output::Json => Ok(()),
        }
    }

    /// A line of text.
    pub(crate) fn line(self, line: &str) -> Result<(), Failure> {
        print(format!("{line}\n").as_bytes(), Kept::There)
    }

    /// Items, each with what else is known of it: in a table a line each, the item last and as it is.
    pub(crate) fn items(self, items: Vec<(Row, &[u8])>, kept: Kept) -> Result<(), Failure> {
        match self {
            Output::Table => {
                let mut bytes = Vec::new();
                for (row, item) in items {
                    row.iter().for_each(|(_, value)| bytes.extend_from_slice(format!("{}\t", text(value)).as_bytes()));
                    bytes.extend_from_slice(item);
                    bytes.push(b'\n');
                }
                print(&bytes, kept)
            }
            Output::Json => {
                let items: Vec<Value> = items
                    .into_iter()
                    .map(|(mut row, item)| {
                        row.push(of_item(item));
                        object(row)
                    })
                    .collect();
                self.document(&json!({ "items": items }), kept)
            }
        }
    }

    /// Numbers that nobody else gets.
    pub(crate) fn drawn(self, ids: Range<u64>) -> Result<(), Failure> {
        match self {
            Output::Table => print(ids.map(|id| format!("{id}\n")).collect::<String>().as_bytes(), Kept::Gone),
            Output::Json => self.document(&json!({ "first": ids.start, "count": ids.end - ids.start }), Kept::Gone),
        }
    }

    /// A JSON document, a line.
    fn document(self, value: &Value, kept: Kept) -> Result<(), Failure> {
        print(format!("{value}\n").as_bytes(), kept)
    }
}

/// An item's field in JSON: `item` if it is text, else `item_base64`.
pub(crate) fn of_item(item: &[u8]) -> (&'static str, Value) {
    match std::str::from_utf8(item) {
        Ok(text) => ("item", text.into()),
        Err(_) => ("item_base64", STANDARD.encode(item).into()),
    }
}

pub(crate) fn object(row: Row) -> Value {
    Value::Object(row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<String, Value>>())
}

/// Members by rising id, for people.
pub(crate) fn members(set: MemberSet) -> String {
    set.iter().map(|member| member.number().to_string()).collect::<Vec<_>>().join(",")
}

/// Members by rising id, as numbers.
pub(crate) fn of_members(set: MemberSet) -> Value {
    set.iter().map(MemberId::number).collect()
}

/// A value as a table has it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The columns as wide as they have to be, numbers to the right; the last one is not filled up.
fn table(columns: &[&'static str], rows: &[Row]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|(_, value)| text(value)).collect()).collect();
    let width =
        |at: usize| cells.iter().map(|row| row[at].chars().count()).chain([columns[at].len()]).max().unwrap_or(0);
    let numeric = |at: usize| !rows.is_empty() && rows.iter().all(|row| row[at].1.is_number() || row[at].1.is_null());
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (at, cell) in cells.enumerate() {
            let space = " ".repeat(width(at).saturating_sub(cell.chars().count()));
            let (before, behind) = if numeric(at) { (space.as_str(), "") } else { ("", space.as_str()) };
            line.push_str(&format!("{before}{cell}{behind}  "));
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    };
    let mut lines = line(&mut columns.iter().copied());
    for row in &cells {
        lines.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    lines
}

/// Says something beside what is shown, on standard error.
pub(crate) fn remark(what: &str) {
    // Who can't be told it still gets what was asked for.
    let _ = writeln!(io::stderr(), "ftqctl: {what}");
}

/// Writes to standard output, all of it.
pub(crate) fn print(bytes: &[u8], kept: Kept) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| match kept {
        Kept::There if error.kind() == io::ErrorKind::BrokenPipe => Failure::Unread,
        Kept::There => Failure::No(format!("it can't be shown: {error}")),
        Kept::Leased => {
            Failure::Unknown(format!("done, but what it gave can't be shown, and goes back later: {error}"))
        }
        Kept::Gone => Failure::Unknown(format!("done, but what it gave can't be shown and is lost: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_it_has_to_be() {
        let row =
            |label: &str, items: u64| vec![("label", json!(label)), ("items", json!(items)), ("dead", Value::Null)];
        let shown = table(&["LABEL", "ITEMS", "DEAD"], &[row("a", 1), row("größer als alle", 1_000)]);
        let expected = "LABEL            ITEMS  DEAD\na                    1     -\ngrößer als alle   1000     -\n";
        assert_eq!(shown, expected);
        assert_eq!(table(&["LABEL"], &[]), "LABEL\n");
    }

    #[test]
    fn an_item_that_is_no_text_is_in_base64() {
        assert_eq!(of_item("ä\n".as_bytes()), ("item", json!("ä\n")));
        assert_eq!(of_item(&[0xff, 0, 1]), ("item_base64", json!("/wAB")));
    }
}
