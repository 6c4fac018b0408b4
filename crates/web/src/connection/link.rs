//! One connection, from its making to its end.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use meshwork::Bytes;
use meshwork_transport::{ConnectionEvent, Fingerprints, LinkId};
use meshwork_wire::Channel;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    RtcConfiguration, RtcDataChannelEvent, RtcIceCandidateInit, RtcIceGatheringState, RtcPeerConnection,
    RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcSdpType, RtcSessionDescription,
    RtcSessionDescriptionInit,
};

use super::{description, lane::Lane};
use crate::{
    arrivals::Arrival,
    browser::{self, words},
    host::Host,
};

/// The most candidates that are taken beside those of the description.
const CANDIDATES_MAX: usize = 16;

/// How long a description waits for the candidates that take no asking of a server, in milliseconds. They spare the hub
/// a message each.
const HOST_CANDIDATES_WAIT_MS: f64 = 10.0;

/// How long a connection that was let go lives on, so that its last frames leave, in milliseconds.
const LINGER_MS: f64 = 200.0;

/// Frames that came before the last channel was open: the other side may be ahead by a round trip.
const EARLY_FRAMES_MAX: usize = 64;

/// Which side of a connection we are.
pub(super) enum Role {
    /// The one that offers, and opens the data channels.
    Offer,
    /// The one that answers.
    Answer {
        /// What was offered.
        offer: String,
    },
}

/// A connection with what the browser calls.
pub(super) struct Link {
    id: LinkId,
    host: Weak<Host>,
    this: Weak<Link>,
    connection: RtcPeerConnection,
    lanes: RefCell<[Option<Lane>; Channel::ALL.len()]>,
    opened: Cell<bool>,
    /// Our description is told: candidates follow on their own.
    described: Cell<bool>,
    /// The other side's description is applied.
    answered: Cell<bool>,
    early_candidates: RefCell<Vec<String>>,
    candidates: Cell<usize>,
    early_frames: RefCell<Vec<(Channel, Bytes)>>,
    on_candidate: Closure<dyn Fn(RtcPeerConnectionIceEvent)>,
    on_state: Closure<dyn Fn()>,
    on_channel: Closure<dyn Fn(RtcDataChannelEvent)>,
}

impl Link {
    pub(super) fn new(
        id: LinkId,
        host: Weak<Host>,
        configuration: &RtcConfiguration,
    ) -> Result<Rc<Self>, String> {
        let connection = RtcPeerConnection::new_with_configuration(configuration)
            .map_err(|thrown| format!("this browser makes no WebRTC connection: {}", words(&thrown)))?;
        let link = Rc::new_cyclic(|this: &Weak<Self>| {
            let (at_candidate, at_state, at_channel) = (this.clone(), this.clone(), this.clone());
            Self {
                id,
                host,
                this: this.clone(),
                connection,
                lanes: RefCell::default(),
                opened: Cell::default(),
                described: Cell::default(),
                answered: Cell::default(),
                early_candidates: RefCell::default(),
                candidates: Cell::default(),
                early_frames: RefCell::default(),
                on_candidate: Closure::new(move |event: RtcPeerConnectionIceEvent| {
                    if let Some(link) = at_candidate.upgrade() {
                        link.found_candidate(&event);
                    }
                }),
                on_state: Closure::new(move || {
                    if let Some(link) = at_state.upgrade() {
                        link.state_changed();
                    }
                }),
                on_channel: Closure::new(move |event: RtcDataChannelEvent| {
                    if let Some(link) = at_channel.upgrade() {
                        link.channel_came(&event);
                    }
                }),
            }
        });
        let connection = &link.connection;
        connection.set_onicecandidate(Some(link.on_candidate.as_ref().unchecked_ref()));
        connection.set_onconnectionstatechange(Some(link.on_state.as_ref().unchecked_ref()));
        connection.set_ondatachannel(Some(link.on_channel.as_ref().unchecked_ref()));
        Ok(link)
    }

    /// Tells the host; not to be called while the host performs an effect.
    pub(super) fn tell(&self, event: ConnectionEvent) {
        if let Some(host) = self.host.upgrade() {
            host.hear(Arrival { link: self.id, event, heard: None });
        }
    }

    pub(super) fn fail(&self, reason: &str) {
        self.tell(ConnectionEvent::Closed { reason: reason.into() });
    }

    /// Makes our description, in the background.
    pub(super) fn begin(&self, role: Role) {
        let link = self.this.clone();
        spawn_local(async move {
            if let Err(reason) = describe(&link, role).await
                && let Some(link) = link.upgrade()
            {
                link.fail(&reason);
            }
        });
    }

    /// Takes the answer to our offer, in the background.
    pub(super) fn accept(&self, answer: String) {
        let link = self.this.clone();
        spawn_local(async move {
            if let Err(reason) = take_description(&link, RtcSdpType::Answer, &answer).await
                && let Some(link) = link.upgrade()
            {
                link.fail(&reason);
            }
        });
    }

    /// Candidates are suggestions: one that is of no use is left out, and the link tries the others.
    pub(super) fn take_candidate(&self, candidate: String) {
        self.candidates.set(self.candidates.get() + 1);
        if self.candidates.get() > CANDIDATES_MAX || !description::is_usable(&candidate) {
            return;
        }
        if self.answered.get() {
            self.add_candidate(&candidate);
        } else {
            self.early_candidates.borrow_mut().push(candidate);
        }
    }

    fn add_candidate(&self, candidate: &str) {
        let init = RtcIceCandidateInit::new(candidate);
        // There is one media section.
        init.set_sdp_m_line_index(Some(0));
        let added = self.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
        // A refusal is nobody's loss, but has to be heard, or the browser complains in its console.
        spawn_local(async move { drop(JsFuture::from(added).await) });
    }

    pub(super) fn transmit(&self, channel: Channel, frame: &[u8]) -> Result<(), String> {
        match &self.lanes.borrow()[channel.index()] {
            Some(lane) => lane.transmit(frame),
            None => Err("the channel is not open".into()),
        }
    }

    pub(super) fn received(&self, channel: Channel, frame: Bytes) {
        if self.opened.get() {
            return self.tell(ConnectionEvent::Received { channel, frame });
        }
        let mut early = self.early_frames.borrow_mut();
        early.push((channel, frame));
        if early.len() > EARLY_FRAMES_MAX {
            drop(early);
            self.fail("the other side sends before the channels are open");
        }
    }

    /// Tells that the connection is open once all channels are.
    pub(super) fn lane_opened(&self) {
        let open = |lane: &Option<Lane>| lane.as_ref().is_some_and(Lane::is_open);
        if self.opened.get() || !self.lanes.borrow().iter().all(open) {
            return;
        }
        self.opened.set(true);
        let fingerprint = |description: Option<RtcSessionDescription>| {
            description.and_then(|description| description::fingerprint(&description.sdp()))
        };
        let local = fingerprint(self.connection.local_description());
        let remote = fingerprint(self.connection.remote_description());
        let (Some(local), Some(remote)) = (local, remote) else {
            return self.fail("a description does not name one certificate");
        };
        self.tell(ConnectionEvent::Opened(Fingerprints { local, remote }));
        for (channel, frame) in self.early_frames.take() {
            self.tell(ConnectionEvent::Received { channel, frame });
        }
    }

    fn found_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        // Before our description is told, it will hold them.
        let candidate = event.candidate().filter(|_| self.described.get());
        let text = candidate.map(|candidate| candidate.candidate());
        if let Some(text) = text.filter(|text| description::is_usable(text)) {
            self.tell(ConnectionEvent::Candidate(text));
        }
    }

    fn state_changed(&self) {
        match self.connection.connection_state() {
            RtcPeerConnectionState::Failed => {
                self.fail("no way leads to the other side, or it has fallen silent");
            }
            RtcPeerConnectionState::Closed => self.fail("the other side closed the connection"),
            // `Disconnected` may still recover; `Failed` follows when it does not.
            _ => {}
        }
    }

    fn channel_came(&self, event: &RtcDataChannelEvent) {
        let (channel, lane) = match Lane::admit(event.channel(), &self.this) {
            Ok(admitted) => admitted,
            Err(reason) => return self.fail(&reason),
        };
        let known = self.lanes.borrow_mut()[channel.index()].replace(lane).is_some();
        if known {
            return self.fail("the other side opened a data channel twice");
        }
        // It may have opened before anybody listened.
        self.lane_opened();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.connection.set_onicecandidate(None);
        self.connection.set_onconnectionstatechange(None);
        self.connection.set_ondatachannel(None);
        let connection = self.connection.clone();
        browser::after(LINGER_MS, move || connection.close());
    }
}

/// Makes our description and hands it over. The link may be let go meanwhile, so it is looked up after each wait.
async fn describe(link: &Weak<Link>, role: Role) -> Result<(), String> {
    let promise = match role {
        Role::Offer => {
            let Some(link) = link.upgrade() else { return Ok(()) };
            let mut lanes = link.lanes.borrow_mut();
            for channel in Channel::ALL {
                lanes[channel.index()] = Some(Lane::open(&link.connection, channel, &link.this));
            }
            link.connection.create_offer()
        }
        Role::Answer { offer } => {
            take_description(link, RtcSdpType::Offer, &offer).await?;
            let Some(link) = link.upgrade() else { return Ok(()) };
            link.connection.create_answer()
        }
    };
    let made = JsFuture::from(promise).await.map_err(|thrown| words(&thrown))?;
    let promise = match link.upgrade() {
        Some(link) => link.connection.set_local_description(made.unchecked_ref()),
        None => return Ok(()),
    };
    JsFuture::from(promise).await.map_err(|thrown| words(&thrown))?;
    gather(link).await;
    let Some(link) = link.upgrade() else { return Ok(()) };
    let sdp = link.connection.local_description().ok_or("the browser has no description of its own")?.sdp();
    link.described.set(true);
    link.tell(ConnectionEvent::Described(sdp));
    Ok(())
}

/// Waits for the first candidates.
async fn gather(link: &Weak<Link>) {
    let gathering = |link: &Rc<Link>| link.connection.ice_gathering_state() != RtcIceGatheringState::Complete;
    if link.upgrade().as_ref().is_some_and(gathering) {
        let waited = js_sys::Promise::new(&mut |resolve, _| {
            browser::after(HOST_CANDIDATES_WAIT_MS, move || drop(resolve.call0(&JsValue::NULL)));
        });
        drop(JsFuture::from(waited).await);
    }
}

async fn take_description(link: &Weak<Link>, kind: RtcSdpType, sdp: &str) -> Result<(), String> {
    let promise = {
        let Some(link) = link.upgrade() else { return Ok(()) };
        let init = RtcSessionDescriptionInit::new(kind);
        init.set_sdp(&description::admit(sdp)?);
        link.connection.set_remote_description(&init)
    };
    let applied = JsFuture::from(promise).await;
    applied.map_err(|thrown| format!("the other side's description is not usable: {}", words(&thrown)))?;
    if let Some(link) = link.upgrade() {
        link.answered.set(true);
        for candidate in link.early_candidates.take() {
            link.add_candidate(&candidate);
        }
    }
    Ok(())
}
