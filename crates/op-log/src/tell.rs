//! Telling a peer which tips are here, as many at a time as may leave.

use std::ops::Bound;

use meshwork_base::{ReplicaId, SessionId, Timestamp, Tip};
use meshwork_wire::Channel;

use crate::{Message, OpLog, message::ENTRIES_MAX, sync::MISMATCHES_MAX};

/// What an entry of a `Have` takes, at most, in bytes.
const ENTRY_BYTES: u64 = 16 + 9 + 32;

/// Tips that are being told, in order of replica.
pub(crate) struct Telling {
    /// All of them, not only those that changed.
    all: bool,
    /// The last that was told.
    after: Option<ReplicaId>,
    answer_wanted: bool,
}

impl OpLog {
    /// Tells the peer the tips that it may not know of, unless it was told already. All of them only once in a while:
    /// one who asks again and again is told what has changed.
    pub(crate) fn tell(&mut self, now: Timestamp, peer: SessionId, answer_wanted: bool) {
        let tell_all_due = now.monotonic + self.config.sync_interval() / 2;
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.told {
            return;
        }
        link.told = true;
        if let Some(telling) = &mut link.telling {
            // What changed behind it is announced.
            telling.answer_wanted |= answer_wanted;
            return;
        }
        let all = (!link.agreed || link.mismatches >= MISMATCHES_MAX) && link.may_tell_all(now);
        if all {
            link.tell_all_due = Some(tell_all_due);
        }
        link.unannounced.clear();
        link.announce_due = None;
        link.telling = Some(Telling { all, after: None, answer_wanted });
        self.pump(now, peer);
    }

    /// Goes on telling, as far as more may leave by now.
    pub(crate) fn tell_more(&mut self, now: Timestamp, peer: SessionId) {
        while self.links.get(&peer).is_some_and(|link| link.telling.is_some())
            && self.may_serve(now, peer)
            && let Some(link) = self.links.get_mut(&peer)
            && let Some(Telling { all, after, answer_wanted }) = link.telling.take()
        {
            let rest = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            let entries: Vec<(ReplicaId, Tip)> = if all {
                let rest =
                    self.shown.iter().skip_while(|(replica, _)| after.is_some_and(|last| **replica <= last));
                rest.map(|(replica, tip)| (*replica, *tip)).take(ENTRIES_MAX).collect()
            } else {
                let tips = |replica: &ReplicaId| Some((*replica, *self.shown.tip(replica)?));
                link.changed.range(rest).filter_map(tips).take(ENTRIES_MAX).collect()
            };
            let last = entries.last().map(|(replica, _)| *replica);
            let full = entries.len() >= ENTRIES_MAX;
            if full {
                link.telling = Some(Telling { all, after: last, answer_wanted });
            }
            link.serve_window.spend(entries.len() as u64 * ENTRY_BYTES);
            let answer_wanted = answer_wanted && !full;
            self.send(peer, Channel::Control, Message::Have { entries, answer_wanted });
        }
    }
}
