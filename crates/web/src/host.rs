//! The host: one thread, one machine, the browser's callbacks.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use meshwork::{
    Command, DocumentId, Dot, Edit, EditError, Effect, Event, HubAction, HubEvent, Input, Membership, Mesh,
    Profile, ReplicaId, RequestId, Row, SessionId, WriteId,
};
use meshwork_transport::{ConnectionAction, ConnectionEvent};
use serde_json::{Value as Json, json};
use wasm_bindgen::prelude::*;
use web_sys::RtcConfiguration;

use crate::{
    api::{Store, rows_to_js},
    browser::{self, Timer},
    connection::Connections,
    error::WebError,
    event,
    hub::Hubs,
    join::{Member, Newcomer},
    options::Options,
    stage::Stage,
    status,
};

/// How many edits may be visible here without being durable; a further one is refused.
const UNSAVED_EDITS_MAX: u64 = 65_536;

/// Why nothing can be reached, while that is on purpose.
const CUT_OFF: &str = "this tab is cut off on purpose";

/// A node and its performers.
pub(crate) struct Host {
    inner: RefCell<Inner>,
    listener: js_sys::Function,
    /// Listeners are being called: what happens meanwhile waits for its turn.
    emitting: Cell<bool>,
}

struct Inner {
    stage: Stage,
    session: SessionId,
    membership: Option<Membership>,
    /// See [`Member::unproven`].
    unproven: Option<Profile>,
    connections: Connections,
    hubs: Hubs,
    /// Without one, rows end with the tab.
    store: Option<Store>,
    stalled: Option<String>,
    timer: Timer,
    next_request: u64,
    /// The answer to the edit that is being made.
    edited: Option<Result<Dot, EditError>>,
    /// The author of our edits, the last of them, and how many of them are durable.
    replica: Option<ReplicaId>,
    made: u64,
    stored: u64,
    events: VecDeque<Json>,
    /// See [`Host::watch`].
    watching: bool,
    /// Cut off on purpose: hubs and peers cannot be reached.
    disconnected: bool,
    /// Nothing is driven any more.
    stopped: bool,
}

impl Host {
    /// A node that begins: as a member if the store knows the space, else on its way to a hub.
    pub(crate) fn begin(
        options: &Options,
        profile: Option<&str>,
        rows: Vec<Row>,
        store: Option<Store>,
        listener: js_sys::Function,
    ) -> Result<Rc<Self>, WebError> {
        let configuration = rtc_configuration(options)?;
        let (stage, session, member) = Newcomer::begin(options, profile, rows)?;
        let host = Rc::new_cyclic(|this: &std::rc::Weak<Self>| {
            let at_timer = this.clone();
            let wake = move || {
                if let Some(host) = at_timer.upgrade() {
                    host.wake();
                }
            };
            let inner = Inner {
                stage,
                session,
                membership: None,
                unproven: None,
                connections: Connections::new(this.clone(), configuration),
                hubs: Hubs::new(this.clone()),
                store,
                stalled: None,
                timer: Timer::new(wake),
                next_request: 1,
                edited: None,
                replica: None,
                made: 0,
                stored: 0,
                events: VecDeque::new(),
                watching: false,
                disconnected: false,
                stopped: false,
            };
            Self { inner: RefCell::new(inner), listener, emitting: Cell::new(false) }
        });
        {
            let mut inner = host.inner.borrow_mut();
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

    /// Handles one input whole, then tells listeners. Not to be called while effects are performed.
    pub(crate) fn feed(&self, input: Input) {
        {
            let mut inner = self.inner.borrow_mut();
            let frame = matches!(&input, Input::Connection { event: ConnectionEvent::Received { .. }, .. });
            inner.drive([Some(input)].into());
            if frame && inner.watching {
                inner.events.push_back(json!({"type": "receipts"}));
            }
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
            let links = inner.connections.close_all();
            let hubs = inner.hubs.close_all();
            let closed =
                links.into_iter().map(|link| (link, ConnectionEvent::Closed { reason: CUT_OFF.into() }));
            let mut inputs: VecDeque<_> =
                closed.map(|(link, event)| Some(Input::Connection { link, event })).collect();
            let closed = hubs.into_iter().map(|hub| (hub, HubEvent::Closed { reason: CUT_OFF.into() }));
            inputs.extend(closed.map(|(hub, event)| Some(Input::Hub { hub, event })));
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
            inner.drive([None].into());
        }
        self.emit();
    }

    /// Tells listeners what happened, in order, though they call back.
    pub(crate) fn emit(&self) {
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
        let (Some(mesh), Some(membership)) = (inner.stage.mesh(), &inner.membership) else {
            return Err(WebError::NotJoined);
        };
        let mut status = status::of(mesh, membership, inner.stalled.as_deref());
        status["disconnected"] = inner.disconnected.into();
        Ok(status)
    }

    pub(crate) fn membership(&self) -> Result<Membership, WebError> {
        self.inner.borrow().membership.clone().ok_or(WebError::NotJoined)
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

    /// Stops at once: no goodbye, no last write. What was there can still be read.
    pub(crate) fn stop(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.stopped = true;
        inner.timer.clear();
        inner.connections.close_all();
        inner.hubs.close_all();
    }
}

impl Inner {
    /// Feeds inputs (`None`: the timeout) and performs what comes of them, until nothing more does.
    fn drive(&mut self, mut inputs: VecDeque<Option<Input>>) {
        while let Some(input) = inputs.pop_front().filter(|_| !self.stopped) {
            let now = browser::now();
            let mut effects = Vec::new();
            let (deadline, space) = self.stage.step(now, input, &mut effects);
            for effect in effects {
                inputs.extend(self.perform(effect).map(Some));
            }
            if let Some(space) = space {
                inputs.extend(self.found(space));
            } else if let Some(deadline) = deadline {
                self.timer.set(now, deadline.at);
            }
        }
    }

    /// A hub has named the space.
    fn found(&mut self, space: meshwork::SpaceId) -> VecDeque<Option<Input>> {
        let Stage::Asking { discovery, newcomer } = std::mem::replace(&mut self.stage, Stage::Empty) else {
            return VecDeque::new();
        };
        match newcomer.found(space, *discovery) {
            Ok(member) => self.admit(member),
            Err(error) => {
                self.events.push_back(json!({"type": "failed", "reason": error.to_string()}));
                VecDeque::new()
            }
        }
    }

    /// Becomes a member. Returns what begins its life.
    fn admit(&mut self, member: Member) -> VecDeque<Option<Input>> {
        let Member { mesh, membership, profile, unproven } = member;
        self.stage = Stage::Running(Box::new(mesh));
        self.membership = Some(membership);
        self.unproven = unproven;
        if let (Some(profile), Some(store)) = (profile, &self.store) {
            store.keep_profile(&profile.to_json());
        }
        // The log names its incarnation first of all.
        [None, Some(Input::Command(Command::Start))].into()
    }

    /// Performs one effect; an input that comes of it at once is returned.
    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Persist { write, rows } => match &self.store {
                Some(store) => {
                    store.write(write.0 as f64, rows_to_js(rows));
                    None
                }
                None => Some(Input::Persisted { write }),
            },
            Effect::Connection { link, action } if self.disconnected => {
                let begins = matches!(action, ConnectionAction::Offer | ConnectionAction::Answer { .. });
                let event = ConnectionEvent::Closed { reason: CUT_OFF.into() };
                begins.then_some(Input::Connection { link, event })
            }
            Effect::Hub { hub, action } if self.disconnected => {
                let event = HubEvent::Closed { reason: CUT_OFF.into() };
                matches!(action, HubAction::Open { .. }).then_some(Input::Hub { hub, event })
            }
            Effect::Connection { link, action } => {
                let event = self.connections.perform(link, action)?;
                Some(Input::Connection { link, event })
            }
            Effect::Hub { hub, action } => {
                let event = self.hubs.perform(hub, action)?;
                Some(Input::Hub { hub, event })
            }
            Effect::Edited { result, .. } => {
                if let Ok(dot) = &result {
                    self.made = dot.sequence;
                }
                self.edited = Some(result);
                None
            }
            Effect::EditedMany { .. } => None,
            Effect::Incarnation(incarnation) => {
                let first = self.replica.is_none();
                self.replica = Some(incarnation.replica);
                self.stored = incarnation.next_sequence - 1;
                self.made = self.stored;
                if first {
                    self.events.push_back(json!({"type": "ready", "session": self.session}));
                }
                None
            }
            Effect::Stored { version } => {
                let replica = self.replica?;
                let sequence = version.tip(&replica).map_or(0, |tip| tip.sequence);
                if sequence > self.stored {
                    self.stored = sequence;
                    self.events.push_back(json!({"type": "stored", "replica": replica, "upTo": sequence}));
                }
                None
            }
            Effect::Event(told) => {
                if let (Event::LinkUp { .. }, Some(store)) = (&told, &self.store)
                    && let Some(profile) = self.unproven.take()
                {
                    store.keep_profile(&profile.to_json());
                }
                self.events.push_back(event::to_json(&told));
                None
            }
            Effect::Closed => {
                self.events.push_back(json!({"type": "left"}));
                None
            }
        }
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
