//! What a node does: inputs are handled one after the other, and their effects performed.

use std::{collections::VecDeque, sync::Arc};

use meshwork::{
    Command, Dot, EditError, Effect, Event, HubAction, HubEvent, Input, Membership, Profile, ReplicaId, Row,
    SessionId, WriteId,
};
use meshwork_discovery::HubId;
use meshwork_transport::{ConnectionAction, ConnectionEvent, LinkId};
use serde_json::{Value as Json, json};

use crate::{
    api::Store,
    arrivals::Arrivals,
    browser::{self, Timer, Turn},
    connection::Connections,
    event,
    following::Following,
    host::CUT_OFF,
    hub::Hubs,
    join::{Keep, Member},
    progress::Progress,
    slice::Slice,
    stage::Stage,
    tabs::Tabs,
};

/// What happens inside: one input at a time, its effects performed.
pub(crate) struct Inner {
    pub(crate) stage: Stage,
    pub(crate) session: SessionId,
    /// A member's.
    pub(crate) profile: Option<Profile>,
    pub(crate) keep: Keep,
    pub(crate) connections: Connections,
    pub(crate) hubs: Hubs,
    pub(crate) tabs: Tabs,
    pub(crate) keeper: Keeper,
    pub(crate) last_write: WriteId,
    pub(crate) stalled: Option<String>,
    pub(crate) timer: Timer,
    pub(crate) slice: Arc<Slice>,
    pub(crate) arrivals: Arrivals,
    /// Asked for while anything waits for another slice.
    pub(crate) turn: Turn,
    pub(crate) progress: Progress,
    pub(crate) next_request: u64,
    /// The answer to the edit that is being made.
    pub(crate) edited: Option<Result<Dot, EditError>>,
    /// The author of our edits, the last of them, and how many of them are durable.
    pub(crate) replica: Option<ReplicaId>,
    pub(crate) made: u64,
    pub(crate) stored: u64,
    pub(crate) events: VecDeque<Json>,
    /// Told once the documents show all that the log has handed to them.
    pub(crate) late_events: Vec<Json>,
    /// See [`Host::watch`].
    pub(crate) watching: bool,
    /// Cut off on purpose: hubs and peers cannot be reached.
    pub(crate) disconnected: bool,
    /// Nothing is driven any more.
    pub(crate) stopped: bool,
}

/// Who keeps the rows.
pub(crate) enum Keeper {
    /// Nobody: they end with the tab.
    Nobody,
    /// This tab.
    Store(Store),
    /// Another tab of this browser.
    Writer(Following),
}

impl Inner {
    /// Feeds inputs (`None`: the timeout) and performs what comes of them, until nothing more does.
    pub(crate) fn drive(&mut self, mut inputs: VecDeque<Option<Input>>) {
        while let Some(input) = inputs.pop_front().filter(|_| !self.stopped) {
            let now = browser::now();
            let mut effects = Vec::new();
            let (deadline, space) = self.stage.step(now, input, &mut effects);
            for effect in effects {
                self.perform(effect, &mut inputs);
            }
            if let Some(space) = space {
                inputs.extend(self.found(space));
            } else if let Some(deadline) = deadline {
                self.timer.set(now, deadline.at);
            }
        }
        if !self.slice.leaves_any() {
            self.events.extend(self.late_events.drain(..));
        }
    }

    /// Whether anything waits for another slice.
    pub(crate) fn is_behind(&self) -> bool {
        !self.stopped && (self.slice.leaves_any() || !self.arrivals.is_empty())
    }

    /// Does another slice of what waits.
    pub(crate) fn proceed(&mut self) {
        self.slice.begin(browser::now().monotonic);
        while self.is_behind() && !self.slice.is_used_up(browser::now().monotonic) {
            if self.slice.leaves_any() {
                self.drive([None].into());
            } else if let Some(arrival) = self.arrivals.pop() {
                let (input, heard) = arrival.open();
                self.drive([Some(input)].into());
                self.note_receipts();
                heard.into_iter().for_each(|heard| heard());
            }
        }
    }

    /// A frame was dealt with that may have held some.
    pub(crate) fn note_receipts(&mut self) {
        if self.watching {
            self.events.push_back(json!({"type": "receipts"}));
        }
    }

    /// Tells how far the documents are, if they are behind or were.
    pub(crate) fn note_progress(&mut self) {
        let Some(mesh) = self.stage.mesh() else { return };
        let told = self.progress.look(browser::now().monotonic, mesh, self.slice.leaves_any());
        self.events.extend(told);
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
    pub(crate) fn admit(&mut self, member: Member) -> VecDeque<Option<Input>> {
        let Member { mesh, profile, keep } = member;
        self.stage = Stage::Running(Box::new(mesh));
        self.profile = Some(profile);
        self.keep = keep;
        if keep == Keep::Now {
            self.keep_profile();
        }
        if !browser::has_webrtc() {
            // They have told the space, and can lead to nobody.
            self.hubs.close_all();
        }
        // The log names its incarnation first of all.
        let mut inputs = VecDeque::from([None, Some(Input::Command(Command::Start))]);
        inputs.extend(self.tabs.admit().into_iter().map(|(hub, event)| Some(Input::Hub { hub, event })));
        inputs
    }

    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.profile.as_ref()?.membership.as_ref()
    }

    fn keep_profile(&mut self) {
        self.keep = Keep::Kept;
        if let (Some(profile), Keeper::Store(store)) = (&self.profile, &self.keeper) {
            store.keep_profile(&profile.to_json());
        }
    }

    fn perform_hub(&mut self, hub: HubId, action: HubAction) -> Vec<HubEvent> {
        if self.disconnected {
            let is_open = matches!(action, HubAction::Open { .. });
            return is_open.then(|| HubEvent::Closed { reason: CUT_OFF.into() }).into_iter().collect();
        }
        if self.tabs.are(hub) || matches!(&action, HubAction::Open { url } if Tabs::are_at(url)) {
            let is_member = self.stage.mesh().is_some();
            return self.tabs.perform(hub, action, is_member);
        }
        self.hubs.perform(hub, action).into_iter().collect()
    }

    fn perform_connection(&mut self, link: LinkId, action: ConnectionAction) -> Option<ConnectionEvent> {
        if self.disconnected {
            let is_new = matches!(action, ConnectionAction::Offer | ConnectionAction::Answer { .. });
            return is_new.then(|| ConnectionEvent::Closed { reason: CUT_OFF.into() });
        }
        let peer = self.stage.mesh().and_then(|mesh| mesh.machines().transport.peer_of(link));
        let is_tab = peer.is_some_and(|session| self.tabs.know(&session));
        self.connections.perform(link, is_tab, action)
    }

    fn persist(&mut self, write: WriteId, rows: Vec<Row>) -> Option<Input> {
        self.last_write = write;
        let answered = match &mut self.keeper {
            Keeper::Store(store) => {
                store.write(write.0 as f64, rows.into());
                None
            }
            Keeper::Nobody => Some(write),
            Keeper::Writer(following) => {
                let version = self.stage.mesh().map(|mesh| mesh.machines().op_log.version().clone());
                following.wait(write, version.unwrap_or_default())
            }
        };
        answered.map(|write| Input::Persisted { write })
    }

    /// Performs one effect; the inputs that come of it at once are added.
    fn perform(&mut self, effect: Effect, inputs: &mut VecDeque<Option<Input>>) {
        match effect {
            Effect::Persist { write, rows } => inputs.extend(self.persist(write, rows).map(Some)),
            Effect::Connection { link, action } => {
                let event = self.perform_connection(link, action);
                inputs.extend(event.map(|event| Some(Input::Connection { link, event })));
            }
            Effect::Hub { hub, action } => {
                let events = self.perform_hub(hub, action);
                inputs.extend(events.into_iter().map(|event| Some(Input::Hub { hub, event })));
            }
            Effect::Event(told) if self.is_of_tabs(&told) => {}
            Effect::Edited { result, .. } => {
                if let Ok(dot) = &result {
                    self.made = dot.sequence;
                }
                self.edited = Some(result);
            }
            Effect::EditedMany { .. } => {}
            Effect::Incarnation(incarnation) => {
                let first = self.replica.is_none();
                self.replica = Some(incarnation.replica);
                self.stored = incarnation.next_sequence - 1;
                self.made = self.stored;
                if first {
                    self.late_events.push(json!({"type": "ready", "session": self.session}));
                }
            }
            Effect::Stored { version } => {
                if let Keeper::Store(_) = self.keeper {
                    self.tabs.stored(&version);
                }
                let Some(replica) = self.replica else { return };
                let sequence = version.tip(&replica).map_or(0, |tip| tip.sequence);
                if sequence > self.stored {
                    self.stored = sequence;
                    self.events.push_back(json!({"type": "stored", "replica": replica, "upTo": sequence}));
                }
            }
            Effect::Event(told @ Event::StateSynced { .. }) => self.late_events.push(event::to_json(&told)),
            Effect::Event(told) => {
                // Our own tabs have the secret from here.
                let proves = matches!(&told, Event::LinkUp { peer } if !self.tabs.know(&peer.session));
                if proves && self.keep == Keep::Proven {
                    self.keep_profile();
                }
                self.events.push_back(event::to_json(&told));
            }
            Effect::Closed => self.events.push_back(json!({"type": "left"})),
        }
    }

    /// It tells of the hub that the other tabs are to discovery, and to nobody else.
    fn is_of_tabs(&self, told: &Event) -> bool {
        match told {
            Event::HubJoined { hub, .. }
            | Event::HubUnreachable { hub, .. }
            | Event::HubRefused { hub, .. } => self.tabs.are(HubId(*hub)),
            _ => false,
        }
    }
}
