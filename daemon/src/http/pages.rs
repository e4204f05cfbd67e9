//! What is to be seen at each address.

use super::request::Request;
use crate::board::{Board, Check};
use crate::metrics::process;

const OK: &str = "200 OK";
const NOT_FOUND: &str = "404 Not Found";
const UNAVAILABLE: &str = "503 Service Unavailable";

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const INDEX: &str = "/metrics\n/livez\n/readyz?verbose\n";

/// The answer to a request.
pub(super) fn page(request: &Request, board: &Board) -> String {
    let verbose = request.query.split('&').any(|word| word == "verbose");
    let (status, kind, body) = match request.path.as_str() {
        "/" => (OK, TEXT, INDEX.to_owned()),
        "/metrics" => (OK, METRICS, board.metrics() + &process::text() + "# EOF\n"),
        // What can't be put right by starting the daemon again is no reason to.
        "/livez" => checked(&board.checks()[..1], verbose),
        "/readyz" => checked(&board.checks(), verbose),
        _ => (NOT_FOUND, TEXT, "there is nothing here\n".to_owned()),
    };
    answer(status, kind, &body, request.is_head)
}

/// The answer to what is no request.
pub(super) fn refusal(status: &str) -> String {
    answer(status, TEXT, &format!("{status}\n"), false)
}

/// Whether all of it holds; each check on a line of its own if that is wanted.
fn checked(checks: &[Check], verbose: bool) -> (&'static str, &'static str, String) {
    let holds = checks.iter().all(|check| check.holds);
    let line =
        |check: &Check| format!("{} {}: {}\n", if check.holds { "ok  " } else { "FAIL" }, check.name, check.details);
    let said = if holds { "ok\n" } else { "not ok\n" };
    let body = if verbose { checks.iter().map(line).collect::<String>() + said } else { said.to_owned() };
    (if holds { OK } else { UNAVAILABLE }, TEXT, body)
}

fn answer(status: &str, kind: &str, body: &str, is_head: bool) -> String {
    let length = body.len();
    let body = if is_head { "" } else { body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(board: &Board, target: &str) -> String {
        let request = format!("GET {target} HTTP/1.1\r\n\r\n");
        page(&Request::read(request.as_bytes()).expect("a request"), board)
    }

    #[test]
    fn a_check_that_fails_makes_it_unready_and_not_dead() {
        let board = Board::default();
        assert!(ask(&board, "/livez").starts_with("HTTP/1.1 503"), "the loop has not come round yet");
        let check = |holds| Check { name: "serving", holds, details: "a quorum is heard".to_owned() };
        board.post(String::new(), vec![check(true)]);
        assert!(ask(&board, "/readyz").ends_with("\r\n\r\nok\n"));
        board.post(String::new(), vec![check(false)]);
        assert!(ask(&board, "/livez").starts_with("HTTP/1.1 200"));
        let unready = ask(&board, "/readyz?verbose");
        assert!(
            unready.starts_with("HTTP/1.1 503") && unready.contains("FAIL serving: a quorum is heard\n"),
            "{unready}"
        );
        assert!(ask(&board, "/other").starts_with("HTTP/1.1 404"));
    }
}
