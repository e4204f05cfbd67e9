//! What is asked of a replica itself: how it and its cluster are, and changes of who belongs to the cluster.

use crate::driver::{Request, Said};
use crate::error::Error;
use crate::queues::Client;
use async_io::Timer;
use bytes::Bytes;
use ftq_core::group::admission::{ClusterChange, Unfit};
use ftq_core::machine::Place;
use ftq_core::replica::{ChangeOutcome, Changed, Inquiry, LogPage, SnapshotSeen, SnapshotTaken, Status, Views};
use ftq_core::wire::Malformed;
use ftq_net::client::{HostQuestion, HostSettings, KeysHeld};
use std::time::Duration;

/// How often a change is asked for again after another one came first.
const TRIES: usize = 3;

/// How often it is while the change before it is not done, and how long it is waited in between.
const PAUSES: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// How the replica is that is asked, whatever state it is in, and what it knows of the others.
    pub async fn status(&self) -> Result<Status, Error> {
        self.inquire(Inquiry::Status, Status::decode).await
    }

    /// The views that the replica that is asked was in during its present run.
    pub async fn views(&self) -> Result<Views, Error> {
        self.inquire(Inquiry::Views, Views::decode).await
    }

    /// What the delivered log holds from this place on, as much as an answer has room for. It takes the role admin.
    pub async fn log_page(&self, from: Place) -> Result<LogPage, Error> {
        self.inquire(Inquiry::Log(from), LogPage::decode).await
    }

    /// What the newest snapshot is of the replica that is asked.
    pub async fn snapshot(&self) -> Result<SnapshotSeen, Error> {
        self.inquire(Inquiry::Snapshot, SnapshotSeen::decode).await
    }

    /// Has the replica that is asked take a snapshot, and waits until it is durable. It takes the role admin.
    pub async fn take_snapshot(&self) -> Result<SnapshotTaken, Error> {
        let said = self.order(Request::Order { question: Inquiry::TakeSnapshot.encode() }).await?;
        // Whatever it says, it may have taken one.
        SnapshotTaken::decode(said.bytes).map_err(|_| Error::Unknown)
    }

    /// Which keys the replica that is asked holds, from this one of the clients' on, without their secrets. It takes
    /// the role admin.
    pub async fn keys_held(&self, from: u64) -> Result<KeysHeld, Error> {
        let said = self.read(true, HostQuestion::Keys { from }.encode()).await?;
        readable(KeysHeld::decode(said.bytes))
    }

    /// With which settings the replica that is asked runs; there are no secrets in them. It takes the role admin.
    pub async fn settings(&self) -> Result<HostSettings, Error> {
        let said = self.read(true, HostQuestion::Settings.encode()).await?;
        readable(HostSettings::decode(said.bytes))
    }

    /// Changes who belongs to the cluster: how that ended. It takes the role admin.
    ///
    /// It names the configuration that it replaces, so however many replicas are asked, it is made once at most. A
    /// *no* is given only if no other replica that was asked may say otherwise.
    pub async fn change_cluster(&self, change: ClusterChange) -> Result<ChangeOutcome, Error> {
        let (mut outcome, mut overtaken, mut pauses) = (ChangeOutcome::Overtaken, 0, 0);
        while overtaken < TRIES {
            let replaces = Some(self.status().await?.configuration);
            let question = Inquiry::Change { change, replaces }.encode();
            let Said { bytes, is_alone, .. } = self.order(Request::Order { question }).await?;
            outcome = Changed::decode(bytes).map_err(|Malformed| Error::Unknown)?.0;
            match outcome {
                ChangeOutcome::Done { .. } => break,
                // This one is not going to be made, and what to replace is known better now.
                ChangeOutcome::Overtaken => overtaken += 1,
                // The change before this one is not proven at the replica that was asked: mostly that takes a moment.
                ChangeOutcome::Unfit(Unfit::Busy) if is_alone && pauses < PAUSES => {
                    pauses += 1;
                    Timer::after(PAUSE).await;
                }
                ChangeOutcome::Unfit(why) if is_alone || is_for_all(why) => break,
                ChangeOutcome::Unfit(_) | ChangeOutcome::Unknown => return Err(Error::Unknown),
            }
        }
        Ok(outcome)
    }

    async fn inquire<T>(&self, inquiry: Inquiry, read: impl Fn(Bytes) -> Result<T, Malformed>) -> Result<T, Error> {
        readable(read(self.read(true, inquiry.encode()).await?.bytes))
    }
}

/// An answer that can't be read comes from a replica of another version.
fn readable<T, E>(read: Result<T, E>) -> Result<T, Error> {
    read.map_err(|_| Error::OtherVersion)
}

/// Whether every replica would say so of the same configuration: then none has made the change.
fn is_for_all(why: Unfit) -> bool {
    match why {
        Unfit::AlreadyMember | Unfit::NotAMember | Unfit::LastMember | Unfit::TooMany => true,
        Unfit::NotHeard | Unfit::HadASeat | Unfit::NotServing | Unfit::Busy => false,
    }
}

#[cfg(test)]
mod tests;
