//! The connection to one hub, as a session sees it.

use std::{collections::BTreeMap, time::Duration};

use meshwork_base::{Deadline, Monotonic, NodeId, Random, SessionId, Timestamp};
use url::{Position, Url};

use crate::Config;

/// A hub, by its place in [`Config::hubs`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HubId(pub u16);

/// How it stands with one hub.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HubStatus {
    /// Which.
    pub hub: HubId,
    /// Where.
    pub url: Url,
    /// We are in the room there.
    pub joined: bool,
    /// How many peers it knows, or knew when we were last connected.
    pub peers: usize,
}

/// Where the talk with a hub stands. Every state that waits for something outside has a moment at which it gives up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Not started, stopped, or refused for good.
    Idle,
    /// The WebSocket is being opened.
    Opening { until: Monotonic },
    /// Open; the hub owes us its challenge.
    Challenged { until: Monotonic },
    /// The hub owes us its word on our signature.
    Authenticating { until: Monotonic },
    /// Known there; waiting for our turn to join.
    Authenticated(Heart),
    /// The hub owes us the list of peers.
    Joining { until: Monotonic },
    /// In the room.
    Joined(Heart),
    /// Waiting before the next attempt.
    Waiting { until: Monotonic },
}

/// Heartbeats on one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Heart {
    pub(crate) beat_at: Monotonic,
    /// A beat is out; any message answers it.
    pub(crate) answer_by: Option<Monotonic>,
}

impl Heart {
    pub(crate) fn new(now: Timestamp, config: &Config) -> Self {
        Self { beat_at: now.monotonic + Duration::from_millis(config.heartbeat_ms), answer_by: None }
    }

    fn deadline(&self) -> Deadline {
        let beat = Deadline { at: self.beat_at, why: "heartbeat to a hub" };
        let answer = self.answer_by.map(|at| Deadline { at, why: "heartbeat unanswered" });
        answer.map_or(beat, |answer| answer.min(beat))
    }
}

pub(crate) struct Hub {
    pub(crate) url: Url,
    /// Host and port as signed.
    pub(crate) host: String,
    pub(crate) state: State,
    /// Who is in the room there, or was when we were last connected.
    pub(crate) peers: BTreeMap<SessionId, NodeId>,
    /// Attempts since the connection last proved stable.
    failures: u32,
    /// What people were told last, so that a lasting refusal is told once.
    pub(crate) refused: Option<String>,
}

impl Hub {
    pub(crate) fn new(url: &Url) -> Self {
        let url = web_socket_url(url);
        let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
        Self { url, host, state: State::Idle, peers: BTreeMap::new(), failures: 0, refused: None }
    }

    /// Whether there is a WebSocket, or will be.
    pub(crate) fn is_connected(&self) -> bool {
        !matches!(self.state, State::Idle | State::Waiting { .. })
    }

    pub(crate) fn is_joined(&self) -> bool {
        matches!(self.state, State::Joined(_))
    }

    /// Whether this hub may still give us a space before one further down the list.
    pub(crate) fn is_on_its_way(&self) -> bool {
        matches!(self.state, State::Opening { .. } | State::Challenged { .. } | State::Authenticating { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Idle => None,
            State::Opening { until } => Some(Deadline { at: *until, why: "opening a connection to a hub" }),
            State::Challenged { until } | State::Authenticating { until } | State::Joining { until } => {
                Some(Deadline { at: *until, why: "answer of a hub" })
            }
            State::Authenticated(heart) | State::Joined(heart) => Some(heart.deadline()),
            State::Waiting { until } => Some(Deadline { at: *until, why: "next attempt at a hub" }),
        }
    }

    /// A sign of life.
    pub(crate) fn heard(&mut self) {
        if let State::Authenticated(heart) | State::Joined(heart) = &mut self.state {
            heart.answer_by = None;
        }
    }

    /// The connection has lasted for a heartbeat: the next failure starts from the shortest wait.
    pub(crate) fn stable(&mut self) {
        self.failures = 0;
    }

    /// How long to wait before the next attempt: doubled each time, and somewhere in the upper half of that, so that
    /// the sessions of a hub that comes back do not all come at once.
    pub(crate) fn backoff(&mut self, config: &Config, random: &mut Random) -> Duration {
        let doubled = config.backoff_min_ms.saturating_mul(1 << self.failures.min(30));
        self.failures = self.failures.saturating_add(1);
        let longest = Duration::from_millis(doubled.min(config.backoff_max_ms));
        random.duration(longest / 2, longest)
    }
}

/// Where a hub's WebSocket is: `/ws` below an `http` address, and below a `ws` address without a path.
fn web_socket_url(hub: &Url) -> Url {
    let mut url = hub.clone();
    url.set_fragment(None);
    url.set_query(None);
    let scheme = match hub.scheme() {
        "http" => Some("ws"),
        "https" => Some("wss"),
        _ => None,
    };
    if scheme.is_some() || url.path() == "/" {
        url.set_path(&format!("{}/ws", hub.path().trim_end_matches('/')));
    }
    // Between the four special schemes this cannot fail; another scheme fails at the performer, and is told there.
    let _ = scheme.map(|scheme| url.set_scheme(scheme));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Seed;

    #[test]
    fn addresses_lead_to_the_web_socket_and_name_the_host() {
        let table = [
            ("http://127.0.0.1:7070", "ws://127.0.0.1:7070/ws", "127.0.0.1:7070"),
            ("https://Hub.example/", "wss://hub.example/ws", "hub.example"),
            ("https://hub.example:443/mesh/", "wss://hub.example/mesh/ws", "hub.example"),
            ("http://[::1]:80#x", "ws://[::1]/ws", "[::1]"),
            ("ws://h:1", "ws://h:1/ws", "h:1"),
            ("wss://h/other", "wss://h/other", "h"),
        ];
        for (hub, url, host) in table {
            let hub = Hub::new(&hub.parse().unwrap());
            assert_eq!((hub.url.as_str(), hub.host.as_str()), (url, host));
        }
    }

    #[test]
    fn backoff_doubles_to_its_bound_and_starts_over_when_stable() {
        let (config, mut random) = (Config::default(), Seed::from_number(1).random());
        let mut hub = Hub::new(&"http://h".parse().unwrap());
        for longest in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let wait = hub.backoff(&config, &mut random);
            let longest = Duration::from_millis(longest);
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
        }
        hub.stable();
        assert!(hub.backoff(&config, &mut random) <= Duration::from_millis(250));
    }
}
