//! What an operator orders where a quorum is lost for ever: to go on with what this store holds, or with nothing
//! (RULES S7, S12). It is said at the start of a replica that has lost something, when nothing is served for long, and when
//! the first of these orders can't be carried out.

use ftq_core::ids::MemberId;
use ftq_storage::disk;
use std::path::Path;

/// What a store has left with which another cluster could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing, or not all that was applied.
    Nothing,
    /// Something, and the cluster knows whose store it is.
    Seated,
    /// Something, in a store that the cluster does not know, so that the order has to say whose it is.
    Seatless,
}

/// Where the order is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    /// The member.
    pub(crate) me: MemberId,
    /// Its store's directory.
    pub(crate) directory: &'a Path,
    /// Whether nobody else is known, who could have something.
    pub(crate) is_alone: bool,
}

impl Here<'_> {
    /// What to do once all have been stopped: it goes on from "stop this, and".
    pub(crate) fn order(self, left: Left) -> String {
        let place = self.directory.display();
        let named = match left {
            Left::Nothing => return self.begin_empty(),
            Left::Seated => String::new(),
            Left::Seatless => format!(" --me {}", self.me),
        };
        let choice = if self.is_alone {
            ""
        } else {
            ". Of several members that are left take the one with the last view and, in that, the longest log"
        };
        format!(
            "run `ftqd go-on-alone {place}{named}`, which says what is here and how to begin another cluster with that{choice}"
        )
    }

    fn begin_empty(self) -> String {
        let empty = "begins an empty cluster and keeps the old store aside";
        let place = self.directory.display();
        if self.is_alone {
            format!("run `ftqd start-anew {place}`, which {empty}")
        } else {
            format!(
                "if another member still has its archive, run `ftqd go-on-alone DIR` there, which says what it holds; if none has, \
                 `ftqd start-anew {place}` here, which {empty}, and on each of the others the command that it prints"
            )
        }
    }
}

/// What is left to do where nothing goes on from the store in this directory: it follows a full stop.
pub(crate) fn elsewhere(directory: &Path) -> String {
    let place = directory.display();
    format!(
        "Look for another member's store; if nobody has the data any more, an empty cluster begins with: ftqd start-anew {place}"
    )
}

/// What may have become of a store that is not in this directory (any more).
pub(crate) fn former(directory: &Path) -> String {
    match disk::former_store(directory) {
        Some(aside) => format!(
            "A former one is kept in {}: to have it back, move all that is in there to where it was",
            directory.join(aside).display()
        ),
        None => "If that was here, it is not any more; other members may have what it held".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_store_that_was_set_aside_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(former(directory.path()).starts_with("If that was here, it is not any more"));
        for name in ["set-aside-1700000000-store", "set-aside-1800000000-journal"] {
            fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        let text = former(directory.path());
        assert!(text.contains("set-aside-1700000000-store: to have it back, move all"), "{text}");
    }

    #[test]
    fn each_order_fits_what_is_left() {
        let me = MemberId::new(2).expect("an id");
        let order = |is_alone, left| Here { me, directory: Path::new("/data"), is_alone }.order(left);
        let anew = "run `ftqd start-anew /data`, which begins an empty cluster and keeps the old store aside";
        assert_eq!(order(true, Left::Nothing), anew);
        let text = order(false, Left::Nothing);
        assert!(
            text.starts_with("if another member still has its archive, run `ftqd go-on-alone DIR` there"),
            "{text}"
        );
        assert!(text.ends_with("and on each of the others the command that it prints"), "{text}");
        let text = order(true, Left::Seatless);
        assert!(text.starts_with("run `ftqd go-on-alone /data --me 2`, ") && text.ends_with("with that"), "{text}");
        let text = order(false, Left::Seated);
        assert!(text.starts_with("run `ftqd go-on-alone /data`, ") && text.ends_with("the longest log"), "{text}");
    }
}
