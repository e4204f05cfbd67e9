//! The head of a request, as much of it as is needed here.

/// The longest head that is read.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    /// What follows the question mark.
    pub(super) query: String,
    /// Whether the head alone is wanted.
    pub(super) is_head: bool,
}

/// Why there is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// More has to come.
    Unfinished,
    /// It is refused with this.
    Refused(&'static str),
}

pub(super) const BAD_REQUEST: &str = "400 Bad Request";
pub(super) const METHOD_NOT_ALLOWED: &str = "405 Method Not Allowed";
pub(super) const HEAD_TOO_LARGE: &str = "431 Request Header Fields Too Large";
pub(super) const VERSION_NOT_SUPPORTED: &str = "505 HTTP Version Not Supported";

impl Request {
    /// Reads a head that ends with an empty line; its fields tell nothing that matters here.
    pub(super) fn read(bytes: &[u8]) -> Result<Request, Unread> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            let is_long = bytes.len() >= HEAD_BYTES_MAX;
            return Err(if is_long { Unread::Refused(HEAD_TOO_LARGE) } else { Unread::Unfinished });
        };
        if end > HEAD_BYTES_MAX {
            return Err(Unread::Refused(HEAD_TOO_LARGE));
        }
        let bad = Unread::Refused(BAD_REQUEST);
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad)?;
        let line = head.split("\r\n").next().ok_or(bad)?;
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad);
        };
        if !version.starts_with("HTTP/1.") {
            return Err(if version.starts_with("HTTP/") { Unread::Refused(VERSION_NOT_SUPPORTED) } else { bad });
        }
        let is_head = match method {
            "GET" => false,
            "HEAD" => true,
            _ => return Err(Unread::Refused(METHOD_NOT_ALLOWED)),
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if !path.starts_with('/') {
            return Err(bad);
        }
        Ok(Request { path: path.to_owned(), query: query.to_owned(), is_head })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read() {
        let read = Request::read(b"GET /readyz?verbose HTTP/1.1\r\nHost: a\r\n\r\n");
        let request = Request { path: "/readyz".to_owned(), query: "verbose".to_owned(), is_head: false };
        assert_eq!(read, Ok(request));
        assert!(Request::read(b"HEAD / HTTP/1.0\r\n\r\n").is_ok_and(|request| request.is_head));
    }

    #[test]
    fn everything_else_is_refused_or_waited_for() {
        let long = [b"GET / HTTP/1.1\r\na: ".to_vec(), vec![b'a'; HEAD_BYTES_MAX]].concat();
        let longer = [long.clone(), b"\r\n\r\n".to_vec()].concat();
        for (bytes, unread) in [
            (&b""[..], Unread::Unfinished),
            (b"GET / HTTP/1.1\r\n", Unread::Unfinished),
            (b"\r\n\r\n", Unread::Refused(BAD_REQUEST)),
            (b"\xff\xff / HTTP/1.1\r\n\r\n", Unread::Refused(BAD_REQUEST)),
            (b"GET /\r\n\r\n", Unread::Refused(BAD_REQUEST)),
            (b"GET / HTTP/1.1 \r\n\r\n", Unread::Refused(BAD_REQUEST)),
            (b"GET metrics HTTP/1.1\r\n\r\n", Unread::Refused(BAD_REQUEST)),
            (b"POST / HTTP/1.1\r\n\r\n", Unread::Refused(METHOD_NOT_ALLOWED)),
            (b"GET / HTTP/2\r\n\r\n", Unread::Refused(VERSION_NOT_SUPPORTED)),
            (&long, Unread::Refused(HEAD_TOO_LARGE)),
            (&longer, Unread::Refused(HEAD_TOO_LARGE)),
        ] {
            assert_eq!(Request::read(bytes), Err(unread), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
