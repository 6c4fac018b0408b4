//! What hostile clients achieve: nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::{OTHER_SPACE, Rig, SPACE, join_message, session, signal};
use meshwork_base::Machine;
use meshwork_discovery::{ClientMessage, ServerMessage};
use meshwork_hub::HubConfig;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Move {
    Connect(u64),
    Authenticate(u64, u8),
    Say(u64, ClientMessage),
    Text(u64, String),
    Disconnect(u64),
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let connection = || 1u64..7;
    let room = || prop::sample::select(vec!["AAAAAA", "BBBBBB", "CCCCCC"]);
    let space = prop::sample::select(vec![SPACE, OTHER_SPACE]);
    let message = prop_oneof![
        3 => (room(), space, any::<bool>(), prop::option::weighted(0.2, 0u8..2))
            .prop_map(|(room, space, adopt, access)| join_message(room, space, adopt, access)),
        3 => (1u8..7).prop_map(|to| ClientMessage::signal(session(to), signal("x"))),
        1 => Just(ClientMessage::Heartbeat),
        1 => Just(ClientMessage::Leave),
    ];
    let one = prop_oneof![
        4 => connection().prop_map(Move::Connect),
        6 => (connection(), 1u8..7).prop_map(|(connection, id)| Move::Authenticate(connection, id)),
        10 => (connection(), message).prop_map(|(connection, message)| Move::Say(connection, message)),
        1 => (connection(), ".{0,40}").prop_map(|(connection, text)| Move::Text(connection, text)),
        2 => connection().prop_map(Move::Disconnect),
        1 => (0u64..40_000).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 0..120)
}

/// A connection number is used once; what a move calls `n` is the latest connection of that name.
struct Names(BTreeMap<u64, u64>);

proptest! {
    /// Whatever clients do: bounds hold, nothing is sent on what is closed, signals stay in their room, and the same
    /// moves have the same effects.
    #[test]
    fn hostile_clients_do_no_harm(moves in moves()) {
        let config = HubConfig {
            rooms_max: 2,
            peers_per_room_max: 2,
            connections_max: 5,
            waiting_signals_max: 2,
            ..HubConfig::default()
        };
        let run = || {
            let mut rig = Rig::new(config.clone());
            let mut names = Names(BTreeMap::new());
            let mut log = Vec::new();
            let mut next = 0;
            for step in moves.clone() {
                let name = |connection: u64| names.0.get(&connection).copied().unwrap_or(0);
                match step {
                    Move::Connect(connection) => {
                        next += 1;
                        names.0.insert(connection, next);
                        rig.connect_from(next, "10.0.0.1");
                    }
                    Move::Authenticate(connection, id) => {
                        let connection = name(connection);
                        let pending = rig.sent.get(&connection).cloned();
                        rig.authenticate_as(connection, id, id, "h");
                        log.push(format!("{pending:?}"));
                    }
                    Move::Say(connection, message) => rig.say(name(connection), &message),
                    Move::Text(connection, text) => rig.say_text(name(connection), text),
                    Move::Disconnect(connection) => rig.disconnect(name(connection)),
                    Move::Pass(ms) => rig.pass(ms),
                }
                let stats = rig.hub.stats();
                assert!(stats.rooms <= 2 && stats.peers <= 4 && stats.connections <= 5, "{stats:?}");
                log.push(format!("{:?} {:?}", rig.sent, rig.closed));
                let quiet: Vec<_> = rig.closed.clone();
                for closed in quiet {
                    if let Some(messages) = rig.sent.remove(&closed) {
                        let last = messages.last();
                        assert!(matches!(last, Some(ServerMessage::Error { .. })), "after the end: {messages:?}");
                    }
                }
            }
            // Everybody gone, everything lapses.
            (1..=next).for_each(|connection| rig.disconnect(connection));
            rig.pass(8_000_000);
            let stats = rig.hub.stats();
            assert_eq!((stats.rooms, stats.peers, stats.connections, rig.hub.poll_timeout()), (0, 0, 0, None));
            log
        };
        prop_assert_eq!(run(), run());
    }
}
