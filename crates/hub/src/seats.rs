//! Who sits in which room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use meshwork_base::{Monotonic, NodeId, SessionId, SpaceId};
use meshwork_discovery::{ErrorCode, RoomPeer, Signal};
use meshwork_identity::{RoomAccess, RoomCode};

use crate::{ConnectionId, HubConfig};

/// A session that proved who it is.
pub(crate) struct Session {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    /// `None`: the connection broke, and the seat is kept for a while.
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) seat: Option<Seat>,
}

/// A place in a room.
pub(crate) struct Seat {
    pub(crate) room: RoomCode,
    /// Until when it is kept for a session that is not there; `None` while it is there.
    pub(crate) kept_until: Option<Monotonic>,
    /// What waits for such a session: until when, from whom, what.
    pub(crate) waiting: VecDeque<(Monotonic, SessionId, Signal)>,
}

impl Seat {
    /// Whether one more signal may wait.
    pub(crate) fn takes(&self, signal: &Signal, config: &HubConfig) -> bool {
        let bytes: usize = self.waiting.iter().map(|(_, _, signal)| signal.body.len()).sum();
        self.waiting.len() < config.waiting_signals_max
            && bytes + signal.body.len() <= config.waiting_bytes_max
    }
}

/// A room.
pub(crate) struct Room {
    pub(crate) space: SpaceId,
    /// Hashed: the hub keeps nothing that opens the room, and comparing hashes takes the same time for any guess.
    access: Option<blake3::Hash>,
    pub(crate) members: BTreeSet<SessionId>,
    /// Since when nobody is there.
    pub(crate) empty_since: Monotonic,
}

/// What a session shows at a room's door.
pub(crate) struct Ticket {
    pub(crate) space: SpaceId,
    pub(crate) adopt: bool,
    pub(crate) access: Option<blake3::Hash>,
}

pub(crate) fn hash_access(access: Option<RoomAccess>) -> Option<blake3::Hash> {
    access.map(|access| blake3::hash(&access.0))
}

/// Rooms and sessions. Every member of a room is a session whose seat is in that room, and the other way round.
#[derive(Default)]
pub(crate) struct Seats {
    pub(crate) rooms: BTreeMap<RoomCode, Room>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
}

impl Seats {
    /// Takes a seat, making the room if there is none.
    pub(crate) fn sit(
        &mut self,
        now: Monotonic,
        id: SessionId,
        code: RoomCode,
        ticket: Ticket,
        config: &HubConfig,
    ) -> Result<(), ErrorCode> {
        if !self.rooms.contains_key(&code) {
            if self.rooms.len() >= config.rooms_max {
                self.forget_an_empty_room().ok_or(ErrorCode::RoomsFull)?;
            }
            let (space, access) = (ticket.space, ticket.access);
            self.rooms.insert(code, Room { space, access, members: BTreeSet::new(), empty_since: now });
        }
        let Some(room) = self.rooms.get_mut(&code) else { return Err(ErrorCode::RoomsFull) };
        if room.access != ticket.access {
            return Err(ErrorCode::WrongPassword);
        }
        if room.space != ticket.space && !ticket.adopt {
            return Err(ErrorCode::SpaceMismatch);
        }
        if room.members.len() >= config.peers_per_room_max && !room.members.contains(&id) {
            return Err(ErrorCode::RoomFull);
        }
        room.members.insert(id);
        if let Some(session) = self.sessions.get_mut(&id) {
            let waiting = session.seat.take().map(|seat| seat.waiting).unwrap_or_default();
            session.seat = Some(Seat { room: code, kept_until: None, waiting });
        }
        Ok(())
    }

    /// Forgets the room that has been empty for the longest.
    fn forget_an_empty_room(&mut self) -> Option<Room> {
        let empty = self.rooms.iter().filter(|(_, room)| room.members.is_empty());
        let code = *empty.min_by_key(|(_, room)| room.empty_since)?.0;
        self.rooms.remove(&code)
    }

    /// Gives the seat up. Returns the room, and how many signals waited in vain.
    pub(crate) fn stand_up(&mut self, now: Monotonic, id: SessionId) -> Option<(RoomCode, usize)> {
        let seat = self.sessions.get_mut(&id)?.seat.take()?;
        if let Some(room) = self.rooms.get_mut(&seat.room) {
            room.members.remove(&id);
            room.empty_since = now;
        }
        Some((seat.room, seat.waiting.len()))
    }

    /// The room in which the session is present.
    pub(crate) fn room_of(&self, id: SessionId) -> Option<RoomCode> {
        let seat = self.sessions.get(&id)?.seat.as_ref()?;
        seat.kept_until.is_none().then_some(seat.room)
    }

    /// The others in the room.
    pub(crate) fn others(&self, code: RoomCode, id: SessionId) -> Vec<RoomPeer> {
        let members = self.rooms.get(&code).map(|room| &room.members).into_iter().flatten();
        members.filter(|member| **member != id).filter_map(|member| self.peer(*member)).collect()
    }

    pub(crate) fn peer(&self, session: SessionId) -> Option<RoomPeer> {
        let Session { node, name, .. } = self.sessions.get(&session)?;
        Some(RoomPeer { session, node: *node, name: name.clone() })
    }

    /// The connections of those who are present in the room, but for `id`.
    pub(crate) fn connections(&self, code: RoomCode, id: SessionId) -> Vec<ConnectionId> {
        let members = self.rooms.get(&code).map(|room| &room.members).into_iter().flatten();
        let present = members.filter(|member| **member != id && self.room_of(**member).is_some());
        present.filter_map(|member| self.sessions.get(member)?.connection).collect()
    }
}
