//! What the requests of the log say, as far as they are shown.

use bytes::Bytes;
use ftq_core::machine::queues::{Command, QueueId};
use ftq_core::pack::Unpacker;
use ftq_core::replica::LogRequest;

/// A command of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// All of it.
    Whole(Command),
    /// Too long to be shown: what its beginning says.
    Cut {
        /// What it is called, as in the metrics.
        name: &'static str,
        /// Which queue it is about, if it is about one.
        queue: Option<QueueId>,
        /// How many items it pushes, receipts it names or steps it has.
        count: Option<u64>,
    },
    /// It makes no sense, and that was its answer.
    Malformed,
}

impl Decoded {
    /// What the command of this request says.
    pub fn of(request: &LogRequest) -> Decoded {
        let LogRequest { bytes, command, .. } = request;
        let is_whole = *bytes == command.len() as u64;
        match Command::decode(command) {
            Ok(command) if is_whole => Decoded::Whole(command),
            Ok(_) | Err(_) if is_whole => Decoded::Malformed,
            Ok(_) | Err(_) => Decoded::cut(command),
        }
    }

    fn cut(command: &Bytes) -> Decoded {
        let name = Command::name_of(command);
        let mut r = Unpacker::new(command.clone());
        let about_a_queue = r.array(usize::MAX).and_then(|_| r.uint()).is_ok() && name != "steps";
        let queue = if about_a_queue { r.uint().ok().map(QueueId) } else { None };
        Decoded::Cut { name, queue, count: r.array_len().ok() }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Decoded::Whole(command) => command.name(),
            Decoded::Cut { name, .. } => name,
            Decoded::Malformed => "malformed",
        }
    }

    /// The queues that it is about, as far as it is shown.
    pub fn queues(&self) -> Vec<QueueId> {
        match self {
            Decoded::Whole(command) => queues(command),
            Decoded::Cut { queue, .. } => queue.iter().copied().collect(),
            Decoded::Malformed => Vec::new(),
        }
    }
}

fn queues(command: &Command) -> Vec<QueueId> {
    match command {
        Command::Create { .. } | Command::GetId { .. } | Command::Limit(_) => Vec::new(),
        Command::Destroy { queue }
        | Command::Push { queue, .. }
        | Command::Pop { queue, .. }
        | Command::Take { queue, .. }
        | Command::Ack { queue, .. }
        | Command::Nack { queue, .. }
        | Command::Touch { queue, .. }
        | Command::Configure { queue, .. }
        | Command::Pause { queue, .. }
        | Command::Purge { queue }
        | Command::SendBack { queue, .. } => vec![*queue],
        Command::Steps(steps) => steps.iter().flat_map(queues).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ftq_core::ids::MemberId;
    use ftq_core::machine::queues::{PushOptions, Receipt};
    use ftq_core::replica::RequestKind;

    fn request(command: &Command, shown: usize) -> LogRequest {
        let bytes = command.encode();
        LogRequest {
            position: 0,
            origin: MemberId::new(1).expect("a member"),
            kind: RequestKind::Command,
            session: None,
            number: Some(1),
            bytes: bytes.len() as u64,
            command: bytes.slice(..bytes.len().min(shown)),
        }
    }

    #[test]
    fn a_command_is_told_from_its_beginning() {
        let queue = QueueId(300);
        let push =
            |n| Command::Push { queue, items: vec![Bytes::from_static(b"item"); n], options: PushOptions::default() };
        assert_eq!(Decoded::of(&request(&push(3), 2_048)), Decoded::Whole(push(3)));
        let cut = Decoded::Cut { name: "push", queue: Some(queue), count: Some(9_000) };
        assert_eq!(Decoded::of(&request(&push(9_000), 2_048)), cut);
        assert_eq!((cut.name(), cut.queues()), ("push", vec![queue]));
        let acks = Command::Ack { queue, receipts: vec![Receipt { position: 1, token: 2 }; 5_000] };
        let cut = Decoded::Cut { name: "ack", queue: Some(queue), count: Some(5_000) };
        assert_eq!(Decoded::of(&request(&acks, 2_048)), cut);
        let steps = Command::Steps(vec![push(1), Command::Ack { queue: QueueId(7), receipts: vec![] }]);
        let whole = Decoded::of(&request(&steps, 2_048));
        assert_eq!((whole.name(), whole.queues()), ("steps", vec![queue, QueueId(7)]));
        let cut = Decoded::of(&request(&Command::Steps(vec![push(9_000)]), 2_048));
        assert_eq!(cut, Decoded::Cut { name: "steps", queue: None, count: Some(1) });
        let mut nonsense = request(&push(1), 2_048);
        nonsense.command = Bytes::from_static(b"nonsense");
        nonsense.bytes = 8;
        assert_eq!(Decoded::of(&nonsense), Decoded::Malformed);
    }
}
