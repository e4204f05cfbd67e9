//! A file, or standard input, as items, many at a time.

use crate::words::Framing;
use ftq_client::Bytes;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// What is pushed at once: enough for a request to cost little beside its items, and little enough that an interrupt
/// is heard soon and that the log does not stand still for it.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_ITEMS: usize = 4_096;

/// No item is longer, whatever the cluster's limit: the largest request.
const ITEM_BYTES_MAX: usize = 8 << 20;

/// The longest decimal number before an item.
const LENGTH_DIGITS_MAX: u64 = 20;

/// Where items come from.
pub(super) struct Source {
    input: Box<dyn Buffered>,
    by: Framing,
    bytes: Option<u64>,
    read: u64,
    items: u64,
    ended: bool,
    /// Read already, and too large to go with what stands before it.
    held: Option<Vec<u8>>,
}

/// Something that is read, and what of it is here already: what comes slowly goes on as it comes.
trait Buffered: BufRead + Send {
    fn here(&self) -> &[u8];
}

impl<R: Read + Send> Buffered for BufReader<R> {
    fn here(&self) -> &[u8] {
        self.buffer()
    }
}

/// Why the next items can't be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The system does not give them.
    System(io::Error),
    /// This one, counted from 1, is not what it should be.
    Item { number: u64, what: &'static str },
}

impl Source {
    /// A file; `-` is standard input.
    pub(super) fn open(path: &Path, by: Framing) -> io::Result<Source> {
        let (input, bytes): (Box<dyn Buffered>, Option<u64>) = if path == Path::new("-") {
            (Box::new(BufReader::with_capacity(BATCH_BYTES, io::stdin())), None)
        } else {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            (Box::new(BufReader::with_capacity(BATCH_BYTES, file)), metadata.is_file().then_some(metadata.len()))
        };
        Ok(Source { input, by, bytes, read: 0, items: 0, ended: false, held: None })
    }

    /// The next items, as many as are pushed at once, or as are here already; none at the end. A large one goes alone:
    /// with others it might be more than a request may be.
    pub(super) fn next(&mut self) -> Result<Vec<Bytes>, Unread> {
        let (mut items, mut bytes) = (Vec::<Bytes>::new(), 0);
        while bytes < BATCH_BYTES && items.len() < BATCH_ITEMS && (items.is_empty() || self.is_one_here()) {
            let item = match self.held.take() {
                Some(held) => held,
                None => match self.item()? {
                    Some(item) => item,
                    None => break,
                },
            };
            if !items.is_empty() && bytes + item.len() > BATCH_BYTES {
                self.held = Some(item);
                break;
            }
            self.items += 1;
            bytes += item.len();
            items.push(item.into());
        }
        Ok(items)
    }

    /// How long all of it is, if that can be told.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// How much of it was read.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read
    }

    /// Whether a whole item is here, for which nobody has to wait.
    fn is_one_here(&self) -> bool {
        let here = self.input.here();
        let Some(line) = here.iter().position(|byte| *byte == b'\n') else { return self.held.is_some() };
        let length = || std::str::from_utf8(&here[..line]).ok()?.parse::<usize>().ok();
        // What is no length is no reason to wait either.
        self.by != Framing::Length || length().is_none_or(|length| here.len() - line > length)
    }

    fn item(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        match self.by {
            Framing::Line => {
                let Some(mut line) = self.line(ITEM_BYTES_MAX as u64)? else { return Ok(None) };
                if line.last() == Some(&b'\n') {
                    line.pop();
                } else if line.len() >= ITEM_BYTES_MAX {
                    return Err(self.bad("is longer than any may be"));
                }
                Ok(Some(line))
            }
            Framing::Length => {
                let Some(line) = self.line(LENGTH_DIGITS_MAX)? else { return Ok(None) };
                let digits = line.strip_suffix(b"\n").and_then(|digits| std::str::from_utf8(digits).ok());
                let length = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
                let Some(length) = length.and_then(|digits| digits.parse::<usize>().ok()) else {
                    return Err(self.bad("has no length before it, a decimal number and a line feed"));
                };
                if length > ITEM_BYTES_MAX {
                    return Err(self.bad("is longer than any may be"));
                }
                let item = self.take(length as u64)?;
                if item.len() < length { Err(self.bad("ends before its length")) } else { Ok(Some(item)) }
            }
            Framing::Whole if self.ended => Ok(None),
            Framing::Whole => {
                self.ended = true;
                let item = self.take(ITEM_BYTES_MAX as u64 + 1)?;
                if item.len() > ITEM_BYTES_MAX { Err(self.bad("is longer than any may be")) } else { Ok(Some(item)) }
            }
        }
    }

    /// Up to the next line feed and with it, or up to the end, or so many bytes; none at the end.
    fn line(&mut self, bytes_max: u64) -> Result<Option<Vec<u8>>, Unread> {
        let mut line = Vec::new();
        let read = self.input.as_mut().take(bytes_max).read_until(b'\n', &mut line).map_err(Unread::System)?;
        self.read += read as u64;
        Ok((read > 0).then_some(line))
    }

    fn take(&mut self, bytes: u64) -> Result<Vec<u8>, Unread> {
        let mut taken = Vec::new();
        self.read += self.input.as_mut().take(bytes).read_to_end(&mut taken).map_err(Unread::System)? as u64;
        Ok(taken)
    }

    fn bad(&self, what: &'static str) -> Unread {
        Unread::Item { number: self.items + 1, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &[u8], by: Framing) -> Result<Vec<Bytes>, (u64, &'static str)> {
        let input = Box::new(BufReader::new(io::Cursor::new(text.to_vec())));
        let mut source = Source { input, by, bytes: None, read: 0, items: 0, ended: false, held: None };
        let mut all = Vec::new();
        loop {
            match source.next() {
                Ok(items) if items.is_empty() => {
                    assert_eq!(source.read_bytes(), text.len() as u64);
                    return Ok(all);
                }
                Ok(items) => all.extend(items),
                Err(Unread::Item { number, what }) => return Err((number, what)),
                Err(Unread::System(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn lines_are_items_without_their_ends() {
        assert_eq!(items(b"a\n\nb\r\nc", Framing::Line).expect("lines"), ["a", "", "b\r", "c"]);
        assert_eq!(items(b"a\n", Framing::Line).expect("a line"), ["a"]);
        assert!(items(b"", Framing::Line).expect("nothing").is_empty());
        let many = "x\n".repeat(BATCH_ITEMS * 3 + 7);
        assert_eq!(items(many.as_bytes(), Framing::Line).expect("lines").len(), BATCH_ITEMS * 3 + 7);
        assert!(items(&vec![b'x'; ITEM_BYTES_MAX + 1], Framing::Line).is_err_and(|(number, _)| number == 1));
    }

    /// What is whole does not wait for the rest of what is not.
    #[test]
    fn items_go_on_as_they_come() {
        for (by, first, rest) in
            [(Framing::Line, &b"a\nb\nc"[..], &b"d\n"[..]), (Framing::Length, b"1\na1\nb3\nc", b"d\n")]
        {
            let input = Box::new(BufReader::new(io::Cursor::new(first.to_vec()).chain(io::Cursor::new(rest.to_vec()))));
            let mut source = Source { input, by, bytes: None, read: 0, items: 0, ended: false, held: None };
            assert_eq!(source.next().expect("items"), ["a", "b"]);
            assert_eq!(source.next().expect("the rest").len(), 1);
            assert!(source.next().expect("the end").is_empty());
        }
    }

    #[test]
    fn lengths_stand_before_items_of_any_bytes() {
        assert_eq!(items(b"2\na\n0\n3\n\xff\n\n", Framing::Length).expect("items"), [&b"a\n"[..], b"", b"\xff\n\n"]);
        for (text, number) in [(&b"3\nab"[..], 1), (b"1\na2\nb", 2), (b"x\n", 1), (b"+1\na", 1), (b"\n", 1), (b"1", 1)]
        {
            assert!(items(text, Framing::Length).is_err_and(|(bad, _)| bad == number), "{text:?}");
        }
        assert!(items(b"99999999999\n", Framing::Length).is_err_and(|(_, what)| what.contains("longer")));
        assert!(items(b"1111111111111111111111111111\n", Framing::Length).is_err());
    }

    #[test]
    fn all_of_it_is_one_item() {
        assert_eq!(items(b"a\nb\n", Framing::Whole).expect("an item"), ["a\nb\n"]);
        assert_eq!(items(b"", Framing::Whole).expect("an item"), [""]);
    }

    /// A request has at most 8 MiB: what is nearly as large itself goes alone, and in its place.
    #[test]
    fn a_large_item_goes_alone() {
        let large = "y".repeat(ITEM_BYTES_MAX - 100);
        let text = format!("{}{large}\n{}", "x\n".repeat(1_000), "z\n".repeat(1_000));
        let input = Box::new(io::Cursor::new(text.into_bytes()));
        let input = Box::new(BufReader::with_capacity(ITEM_BYTES_MAX * 2, input));
        let by = Framing::Line;
        let mut source = Source { input, by, bytes: None, read: 0, items: 0, ended: false, held: None };
        let mut next = || source.next().expect("items").iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(next(), [1; 1_000]);
        assert_eq!(next(), [large.len()]);
        assert_eq!(next(), [1; 1_000]);
        assert!(next().is_empty());
    }
}
