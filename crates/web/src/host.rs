//! The host: one thread, one machine, the browser's callbacks.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::{Rc, Weak},
};

use meshwork::{
    Command, DocumentId, Dot, Edit, EditError, Event, HubEvent, Input, Membership, Mesh, Profile, ReplicaId,
    RequestId, WriteId,
};
use meshwork_discovery::HubId;
use meshwork_transport::ConnectionEvent;
use serde_json::{Value as Json, json};
use wasm_bindgen::prelude::*;
use web_sys::RtcConfiguration;

use crate::{
    api::Store,
    arrivals::{Arrival, Arrivals},
    browser::{self, Timer, Turn},
    connection::Connections,
    error::WebError,
    event,
    following::Following,
    hub::Hubs,
    inner::{Inner, Keeper},
    join::{Keep, Newcomer},
    options::Options,
    progress::Progress,
    status,
    tabs::{Port, Tabs},
};

/// How many edits may be visible here without being durable; a further one is refused.
const UNSAVED_EDITS_MAX: u64 = 65_536;

/// Why nothing can be reached, while that is on purpose.
pub(crate) const CUT_OFF: &str = "this tab is cut off on purpose";

/// A node and its performers.
pub(crate) struct Host {
    inner: RefCell<Inner>,
    listener: js_sys::Function,
    /// Listeners are being called: what happens meanwhile waits for its turn.
    emitting: Cell<bool>,
}

impl Host {
    /// A node that begins: as a member if the store knows the space, else on its way to a hub.
    pub(crate) fn begin(
        options: &Options,
        newcomer: Newcomer,
        store: Option<Store>,
        tabs: Option<Port>,
        listener: js_sys::Function,
    ) -> Result<Rc<Self>, WebError> {
        let configuration = rtc_configuration(options)?;
        let keeper = match store {
            Some(store) => Keeper::Store(store),
            None if options.follower => Keeper::Writer(Following::default()),
            None => Keeper::Nobody,
        };
        let (session, slice) = (newcomer.session, newcomer.slice.clone());
        let progress = Progress::after(newcomer.paused && newcomer.operations() > 0);
        let (stage, member) = newcomer.begin()?;
        let host = Rc::new_cyclic(|this: &Weak<Self>| {
            let calls = |action: fn(&Self)| {
                let this = this.clone();
                move || this.upgrade().iter().for_each(|host| action(host))
            };
            let inner = Inner {
                stage,
                session,
                profile: None,
                keep: Keep::Kept,
                connections: Connections::new(this.clone(), configuration),
                hubs: Hubs::new(this.clone()),
                tabs: Tabs::new(tabs, session),
                keeper,
                last_write: WriteId(0),
                stalled: None,
                timer: Timer::new(calls(Self::wake)),
                slice,
                arrivals: Arrivals::default(),
                turn: Turn::new(calls(Self::take_turn)),
                progress,
                next_request: 1,
                edited: None,
                replica: None,
                made: 0,
                stored: 0,
                events: VecDeque::new(),
                late_events: Vec::new(),
                watching: false,
                disconnected: false,
                stopped: false,
            };
            Self { inner: RefCell::new(inner), listener, emitting: Cell::new(false) }
        });
        {
            let mut inner = host.inner.borrow_mut();
            if !browser::has_webrtc() {
                let reason =
                    "this browser has no RTCPeerConnection: no links to others, only to its own tabs";
                inner.events.push_back(json!({"type": "webrtc-missing", "reason": reason}));
            }
            match member {
                Some(member) => {
                    let inputs = inner.admit(member);
                    inner.drive(inputs);
                }
                None => inner.drive([Some(Input::Command(Command::Start))].into()),
            }
        }
        Ok(host)
    }

    /// Handles one input, then tells listeners. Not to be called while effects are performed.
    pub(crate) fn feed(&self, input: Input) {
        {
            let mut inner = self.inner.borrow_mut();
            inner.slice.begin(browser::now().monotonic);
            inner.drive([Some(input)].into());
        }
        self.emit();
    }

    /// Handles what came over a link, behind what waits already; `heard` is called when it is done. Not to be called while
    /// effects are performed.
    pub(crate) fn hear(&self, arrival: Arrival) {
        {
            let mut inner = self.inner.borrow_mut();
            if arrival.may_wait() {
                let at_once = !inner.is_behind();
                inner.arrivals.push(arrival);
                if at_once || inner.arrivals.is_over_full() {
                    inner.proceed();
                }
            } else {
                let (input, heard) = arrival.open();
                inner.slice.skip();
                inner.drive([Some(input)].into());
                inner.note_receipts();
                heard.into_iter().for_each(|heard| heard());
            }
        }
        self.emit();
    }

    /// Another slice of what waits.
    fn take_turn(&self) {
        {
            let mut inner = self.inner.borrow_mut();
            inner.turn.came();
            inner.proceed();
        }
        self.emit();
    }

    /// Whether listeners want to hear of every frame that may hold receipts: somebody waits for more of them than the
    /// policy asks for.
    pub(crate) fn watch(&self, watching: bool) {
        self.inner.borrow_mut().watching = watching;
    }

    /// Lets go of hubs and peers, and reaches none until [`Self::reconnect`].
    pub(crate) fn disconnect(&self) {
        {
            let mut inner = self.inner.borrow_mut();
            inner.disconnected = true;
            inner.arrivals.clear();
            let closed = || CUT_OFF.to_owned();
            let links = inner.connections.close_all().into_iter();
            let mut inputs: VecDeque<_> = links
                .map(|link| {
                    Some(Input::Connection { link, event: ConnectionEvent::Closed { reason: closed() } })
                })
                .collect();
            let hubs = inner.hubs.close_all().into_iter().chain(inner.tabs.close());
            inputs.extend(
                hubs.map(|hub| Some(Input::Hub { hub, event: HubEvent::Closed { reason: closed() } })),
            );
            inner.drive(inputs);
        }
        self.emit();
    }

    /// The network is back: looks for hubs at once, and through them for peers.
    pub(crate) fn reconnect(&self) {
        self.inner.borrow_mut().disconnected = false;
        self.command(Command::Start);
    }

    fn wake(&self) {
        {
            let mut inner = self.inner.borrow_mut();
            inner.timer.fired();
            inner.slice.begin(browser::now().monotonic);
            inner.drive([None].into());
        }
        self.emit();
    }

    /// Tells listeners what happened, in order, though they call back; and asks for another turn if anything waits for it.
    pub(crate) fn emit(&self) {
        {
            let mut inner = self.inner.borrow_mut();
            inner.note_progress();
            if inner.is_behind() {
                inner.turn.ask();
            }
        }
        if self.emitting.replace(true) {
            return;
        }
        loop {
            let events: Vec<Json> = self.inner.borrow_mut().events.drain(..).collect();
            if events.is_empty() {
                break;
            }
            let text = Json::from(events).to_string();
            if let Err(thrown) = self.listener.call1(&JsValue::NULL, &text.into()) {
                browser::console_error(&browser::words(&thrown));
            }
        }
        self.emitting.set(false);
    }

    /// One transaction; visible when this returns.
    pub(crate) fn edit(&self, document: &str, edits: Vec<Edit>) -> Result<Dot, WebError> {
        let document = DocumentId::new(document).map_err(|error| WebError::Usage(error.to_string()))?;
        let answer = {
            let mut inner = self.inner.borrow_mut();
            if inner.stage.mesh().is_none() {
                return Err(WebError::NotJoined);
            }
            if inner.made.saturating_sub(inner.stored) >= UNSAVED_EDITS_MAX {
                return Err(WebError::Busy(UNSAVED_EDITS_MAX));
            }
            let request = RequestId(inner.next_request);
            inner.next_request += 1;
            let name = document.clone();
            let is_ready = inner.stage.mesh().is_some_and(|mesh| mesh.machines().documents.is_ready());
            if is_ready {
                // Whoever edits waits for nothing else.
                inner.slice.skip();
            } else {
                inner.slice.begin_endless();
                inner.drive([None].into());
            }
            inner.drive([Some(Input::Command(Command::Edit { request, document, edits }))].into());
            let answer = inner.edited.take();
            if let Some(Ok(dot)) = &answer {
                let told = event::edited(&name, dot);
                inner.events.push_back(told);
            }
            answer
        };
        self.emit();
        // The machine answers each edit at once, unless it is stopped.
        Ok(answer.unwrap_or(Err(EditError::Closing))?)
    }

    pub(crate) fn command(&self, command: Command) {
        self.feed(Input::Command(command));
    }

    /// Asks a question of the machines.
    pub(crate) fn ask<R>(&self, question: impl FnOnce(&Mesh) -> R) -> Result<R, WebError> {
        self.inner.borrow().stage.mesh().map(question).ok_or(WebError::NotJoined)
    }

    pub(crate) fn status(&self) -> Result<Json, WebError> {
        let inner = self.inner.borrow();
        let (Some(mesh), Some(membership)) = (inner.stage.mesh(), inner.membership()) else {
            return Err(WebError::NotJoined);
        };
        let role = match &inner.keeper {
            Keeper::Nobody => "alone",
            Keeper::Store(_) => "writer",
            Keeper::Writer(_) => "follower",
        };
        let mut status = status::of(mesh, membership, role, inner.stalled.as_deref());
        status["disconnected"] = inner.disconnected.into();
        Ok(status)
    }

    pub(crate) fn membership(&self) -> Result<Membership, WebError> {
        self.inner.borrow().membership().cloned().ok_or(WebError::NotJoined)
    }

    /// Key and membership, as the store keeps them.
    pub(crate) fn profile(&self) -> Result<Profile, WebError> {
        self.inner.borrow().profile.clone().ok_or(WebError::NotJoined)
    }

    /// The store takes no writes for now (`Some`), or again (`None`).
    pub(crate) fn stalled(&self, reason: Option<String>) {
        {
            let mut inner = self.inner.borrow_mut();
            inner.stalled.clone_from(&reason);
            let told = match reason {
                Some(reason) => Event::StorageStalled { reason },
                None => Event::StorageRecovered,
            };
            inner.events.push_back(event::to_json(&told));
        }
        self.emit();
    }

    /// Speaks with the other tabs; what discovery hears of it is handled.
    pub(crate) fn with_tabs(&self, action: impl FnOnce(&mut Tabs) -> Option<(HubId, HubEvent)>) {
        let heard = action(&mut self.inner.borrow_mut().tabs);
        if let Some((hub, event)) = heard {
            self.feed(Input::Hub { hub, event });
        }
    }

    /// The tab that writes holds these (`all`: and nothing else).
    pub(crate) fn held(&self, tips: BTreeMap<ReplicaId, u64>, all: bool) {
        let answered = {
            let inner = &mut *self.inner.borrow_mut();
            match (&mut inner.keeper, inner.stage.mesh()) {
                (Keeper::Writer(following), Some(mesh)) => {
                    following.hold(tips, all, mesh.machines().op_log.version())
                }
                _ => None,
            }
        };
        if let Some(write) = answered {
            self.feed(Input::Persisted { write });
        }
    }

    /// Gives up the store, which is lost: another node of this browser writes from now on, and gets all that is here.
    pub(crate) fn follow(&self) {
        let mut inner = self.inner.borrow_mut();
        let Some(version) = inner.stage.mesh().map(|mesh| mesh.machines().op_log.version().clone()) else {
            return;
        };
        let mut following = Following::default();
        let _ = following.wait(inner.last_write, version);
        inner.keeper = Keeper::Writer(following);
    }

    /// Whether everything that `other` holds or shows is stored here.
    pub(crate) fn has_stored(&self, other: &Self) -> bool {
        let (inner, other) = (self.inner.borrow(), other.inner.borrow());
        let (Some(here), Some(there)) = (inner.stage.mesh(), other.stage.mesh()) else { return false };
        if inner.slice.leaves_any() {
            return false;
        }
        let stored = here.machines().op_log.stored_version();
        let own = other.replica.is_none_or(|replica| stored.sequence(&replica) >= other.made);
        own && stored.covers(there.machines().op_log.version())
    }

    /// Stops at once: no goodbye, no last write. What was there can still be read.
    pub(crate) fn stop(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.stopped = true;
        inner.timer.clear();
        inner.arrivals.clear();
        inner.connections.close_all();
        inner.hubs.close_all();
    }
}

fn rtc_configuration(options: &Options) -> Result<RtcConfiguration, WebError> {
    let configuration = RtcConfiguration::new();
    if let Some(servers) = &options.ice_servers {
        let parsed = js_sys::JSON::parse(&servers.to_string());
        let servers = parsed.map_err(|thrown| WebError::Usage(browser::words(&thrown)))?;
        configuration.set_ice_servers(&servers);
    }
    Ok(configuration)
}

/// A write's number as JavaScript hands it back.
pub(crate) fn write_id(number: f64) -> WriteId {
    WriteId(number as u64)
}
