//! What goes on in a connection: describe it, open it, carry frames.

use std::{collections::BTreeMap, mem, sync::Arc, time::Duration};

use meshwork_base::Bytes;
use meshwork_wire::Channel;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use webrtc::{
    data_channel::DataChannel,
    error::Error,
    peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription},
};

use super::{
    WebRtcConfig, connection::Role, events::Events, failure::Failure, fingerprints::fingerprints, lane,
    runtime::Opening,
};
use crate::ConnectionEvent;

/// The longest description that we take. Ours have about one kilobyte.
const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;

/// The most candidates that we take beside those of the description: each costs checks against every address of ours,
/// sent to wherever the other side says.
const CANDIDATES_MAX: usize = 16;

/// The most candidates in a description. With more it is refused, and machines have many addresses.
const DESCRIBED_CANDIDATES_MAX: usize = 32;

/// The longest candidate that we take. Real ones have a hundred bytes or two.
const CANDIDATE_BYTES_MAX: usize = 1024;

/// How long a description waits for the candidates that take no asking of a server. They spare the hub a
/// message each.
const HOST_CANDIDATES_WAIT: Duration = Duration::from_millis(10);

/// How long the last frames may take from the library's buffer to the wire.
const FLUSH: Duration = Duration::from_millis(20);

/// What a session is told, by the host and by the library.
pub(super) enum Mail {
    /// The host has an answer to our offer.
    Accept(String),
    /// The host has a candidate of the other side.
    AddCandidate(String),
    /// We have a candidate.
    Candidate(String),
    /// We have all our candidates.
    Gathered,
    /// The other side opens a data channel.
    DataChannel(Arc<dyn DataChannel>),
    /// ICE or DTLS failed.
    Unreachable,
    /// The connection was closed.
    ClosedByPeer,
    /// The library's task has ended.
    DriverStopped,
}

/// A connection with all that its life needs.
pub(super) struct Session {
    connection: Arc<dyn PeerConnection>,
    config: Arc<WebRtcConfig>,
    opening: Arc<Opening>,
    events: Events,
    mailbox: mpsc::UnboundedReceiver<Mail>,
    queues: [mpsc::UnboundedReceiver<Bytes>; Channel::ALL.len()],
    /// Candidates that came before the description they belong to.
    early: Vec<String>,
    /// How many candidates came.
    candidates: usize,
    /// Whether the other side's description is applied.
    described: bool,
}

type Lane = (Channel, Arc<dyn DataChannel>);

impl Session {
    pub(super) fn new(
        connection: Arc<dyn PeerConnection>,
        config: Arc<WebRtcConfig>,
        opening: Arc<Opening>,
        events: Events,
        mailbox: mpsc::UnboundedReceiver<Mail>,
        queues: [mpsc::UnboundedReceiver<Bytes>; Channel::ALL.len()],
    ) -> Self {
        Self {
            connection,
            config,
            opening,
            events,
            mailbox,
            queues,
            early: Vec::new(),
            candidates: 0,
            described: false,
        }
    }

    /// Lives until the connection is of no use any more, and says why; or until the host has let go and what it had
    /// handed over is sent.
    pub(super) async fn run(mut self, role: Role) -> Option<Failure> {
        self.live(role).await.err()
    }

    async fn live(&mut self, role: Role) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_millis(self.config.open_ms);
        let mut events = self.events.clone();
        let opening = tokio::select! {
            opening = timeout_at(deadline, self.open(role)) => opening,
            () = events.let_go() => return Ok(()),
        };
        let lanes = opening.unwrap_or(Err(Failure::OpenTimeout(self.config.open_ms)))?;
        self.opening.ends();
        let fingerprints = fingerprints(&*self.connection).await.ok_or(Failure::NoCertificates)?;
        self.events.send(ConnectionEvent::Opened(fingerprints)).await;
        self.carry(lanes).await
    }

    /// Opens all channels.
    async fn open(&mut self, role: Role) -> Result<Vec<Lane>, Failure> {
        let answering = matches!(role, Role::Answer { .. });
        let mut opening = JoinSet::new();
        if !answering {
            for channel in Channel::ALL {
                let lane = self.connection.create_data_channel(channel.label(), lane::settings(channel));
                opening.spawn(lane::opened(lane.await.map_err(Failure::SetUp)?));
            }
        }
        self.describe(role).await?;

        let mut lanes = BTreeMap::new();
        while lanes.len() < Channel::ALL.len() {
            tokio::select! {
                mail = self.mailbox.recv() => match self.handle(mail).await? {
                    Some(lane) if answering => drop(opening.spawn(lane::opened(lane))),
                    Some(lane) => return Err(unexpected(&*lane).await),
                    None => {}
                },
                Some(opened) = opening.join_next() => {
                    let (channel, lane) = opened.map_err(|_| Failure::Panicked)??;
                    if lanes.insert(channel, lane).is_some() {
                        return Err(Failure::UnexpectedChannel(channel.label().into()));
                    }
                }
            }
        }
        Ok(lanes.into_iter().collect())
    }

    /// Makes our description and hands it over.
    async fn describe(&mut self, role: Role) -> Result<(), Failure> {
        let description = match role {
            Role::Offer => self.connection.create_offer(None).await,
            Role::Answer { offer } => {
                self.take_description(offer, RTCSessionDescription::offer).await?;
                self.connection.create_answer(None).await
            }
        };
        let bare = description.map_err(Failure::SetUp)?;
        self.connection.set_local_description(bare.clone()).await.map_err(Failure::SetUp)?;

        let deadline = Instant::now() + HOST_CANDIDATES_WAIT;
        while let Ok(mail) = timeout_at(deadline, self.mailbox.recv()).await {
            match mail {
                // The description will hold it.
                Some(Mail::Candidate(_)) => {}
                Some(Mail::Gathered) => break,
                // No channel can open before the other side has our description.
                mail => drop(self.handle(mail).await?),
            }
        }
        let description = self.connection.local_description().await.unwrap_or(bare);
        self.events.send(ConnectionEvent::Described(description.sdp)).await;
        Ok(())
    }

    /// Carries frames until the connection ends, or the host has let go and its frames are sent.
    async fn carry(&mut self, lanes: Vec<Lane>) -> Result<(), Failure> {
        let mut writing = lanes.len();
        let mut tasks = JoinSet::new();
        for ((channel, lane), queue) in lanes.into_iter().zip(self.take_queues()) {
            tasks.spawn(lane::read(channel, lane.clone(), self.events.clone()));
            tasks.spawn(lane::write(channel, lane, queue, self.events.clone()));
        }
        loop {
            tokio::select! {
                mail = self.mailbox.recv() => {
                    if let Some(lane) = self.handle(mail).await? {
                        return Err(unexpected(&*lane).await);
                    }
                }
                Some(ended) = tasks.join_next() => match ended.unwrap_or(Some(Failure::Panicked)) {
                    Some(failure) => return Err(failure),
                    None => writing -= 1,
                },
            }
            if writing == 0 {
                // The library tells nobody when its last packet is out.
                sleep(FLUSH).await;
                return Ok(());
            }
        }
    }

    /// Does what one piece of mail asks for; a data channel is the caller's business.
    async fn handle(&mut self, mail: Option<Mail>) -> Result<Option<Arc<dyn DataChannel>>, Failure> {
        match mail {
            Some(Mail::Accept(answer)) => {
                self.take_description(answer, RTCSessionDescription::answer).await?
            }
            Some(Mail::AddCandidate(candidate)) => self.take_candidate(candidate).await,
            Some(Mail::Candidate(candidate)) => self.events.send(ConnectionEvent::Candidate(candidate)).await,
            Some(Mail::Gathered) => {}
            Some(Mail::DataChannel(lane)) => return Ok(Some(lane)),
            Some(Mail::Unreachable) => return Err(Failure::Unreachable),
            Some(Mail::ClosedByPeer) => return Err(Failure::ClosedByPeer),
            Some(Mail::DriverStopped) | None => return Err(Failure::DriverStopped),
        }
        Ok(None)
    }

    async fn take_description(
        &mut self,
        sdp: String,
        parse: fn(String) -> Result<RTCSessionDescription, Error>,
    ) -> Result<(), Failure> {
        if sdp.len() > DESCRIPTION_BYTES_MAX {
            return Err(Failure::DescriptionTooLong { bytes: sdp.len(), max: DESCRIPTION_BYTES_MAX });
        }
        let candidates = sdp.matches("a=candidate:").count();
        if candidates > DESCRIBED_CANDIDATES_MAX {
            return Err(Failure::DescriptionTooWide { candidates, max: DESCRIBED_CANDIDATES_MAX });
        }
        let description = parse(sdp).map_err(Failure::Description)?;
        self.opening.begins();
        self.connection.set_remote_description(description).await.map_err(Failure::Description)?;
        self.described = true;
        for candidate in mem::take(&mut self.early) {
            self.add(candidate).await;
        }
        Ok(())
    }

    /// Candidates are suggestions: one that is of no use is left out, and the link tries the others.
    async fn take_candidate(&mut self, candidate: String) {
        self.candidates += 1;
        if self.candidates > CANDIDATES_MAX || candidate.len() > CANDIDATE_BYTES_MAX {
            tracing::warn!(bytes = candidate.len(), "a candidate too many or too long is left out");
        } else if self.described {
            self.add(candidate).await;
        } else {
            self.early.push(candidate);
        }
    }

    async fn add(&self, candidate: String) {
        // For a TCP candidate the library would connect, at once, to wherever the other side says.
        let transport = candidate.split_whitespace().nth(2);
        if transport.is_some_and(|transport| transport.eq_ignore_ascii_case("udp")) {
            let init = RTCIceCandidateInit { candidate, ..Default::default() };
            if let Err(error) = self.connection.add_ice_candidate(init).await {
                tracing::debug!(%error, "a candidate is left out");
            }
        }
    }

    fn take_queues(&mut self) -> [mpsc::UnboundedReceiver<Bytes>; Channel::ALL.len()] {
        mem::replace(&mut self.queues, Channel::ALL.map(|_| mpsc::unbounded_channel().1))
    }
}

async fn unexpected(lane: &dyn DataChannel) -> Failure {
    Failure::UnexpectedChannel(lane.label().await.unwrap_or_default())
}
