//! What a book has to say: to others, to the replica, and to a person.

use crate::socket::Path;
use ftq_core::ids::MemberId;
use std::fmt;
use std::net::SocketAddr;

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Seal this packet and send it there.
    Say {
        /// Between whom.
        path: Path,
        /// The packet, with its header.
        packet: Vec<u8>,
    },
    /// This member is there: it can be spoken to.
    Met {
        /// Who.
        member: MemberId,
        /// It was not known to be where it is.
        is_new: bool,
    },
    /// Another replica that runs is this member, and this one has not spoken yet: it is not to begin.
    Taken {
        /// This member.
        me: MemberId,
        /// Where the other one is.
        address: SocketAddr,
    },
    /// A person is to look at this.
    Warning(Warning),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Nobody has answered yet.
    Silent {
        /// Who was asked, as it is written.
        joins: Vec<String>,
    },
    /// Two replicas have the id of another member.
    Rival {
        /// The member.
        member: MemberId,
        /// Where it is believed to be.
        stays: SocketAddr,
        /// Where the other one is.
        other: SocketAddr,
    },
    /// Another replica has the id of this one.
    Double {
        /// This member.
        me: MemberId,
        /// Where the other one is.
        address: SocketAddr,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Silent { joins } => write!(
                f,
                "nobody answers at {} (`join`): does a member run there, does the network let UDP through both ways, is \
                 its build as new as this one, and are `cluster` and the `cluster` key in the key file the same? With another \
                 name or key it says so in its log as `refused other cluster` or `refused other key`",
                joins.join(", ")
            ),
            Warning::Rival { member, stays, other } => write!(
                f,
                "two replicas say that they are member {member}: at {stays}, which it stays, and at {other}. Stop the second, and \
                 give it another `me`"
            ),
            Warning::Double { me, address } => write!(
                f,
                "another replica says that it is member {me} too, at {address}: stop one of the two, and give it another `me`"
            ),
        }
    }
}
