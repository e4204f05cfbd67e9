//! What ftq says on the wire. Today: the bytes of the client protocol's messages, in their first form.
//! Seals, sockets and the protocol's specification will stand here too.

pub mod client;
