//! The bytes of every message, and what hostile text becomes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use meshwork_base::{NodeId, SessionId, SpaceId};
use meshwork_discovery::{
    CLIENT_MESSAGE_BYTES_MAX, ClientMessage, ErrorCode, MessageError, NAME_BYTES_MAX, Nonce, PROTOCOL,
    RoomPeer, ServerMessage, Signal, SignalKind, challenge_transcript, clean_name,
};
use meshwork_identity::{RoomAccess, Signature};
use proptest::prelude::*;

const SESSION: SessionId = SessionId([0x11; 16]);
const NODE: NodeId = NodeId([0x22; 32]);
const SPACE: SpaceId = SpaceId([0x33; 16]);

fn client_messages() -> Vec<ClientMessage> {
    let (to, attempt) = (SESSION, u64::MAX);
    let room = "A3B7K9".parse().unwrap();
    vec![
        ClientMessage::Authenticate {
            node: NODE,
            session: SESSION,
            name: "Ada \"L\"".into(),
            host: "127.0.0.1:7070".into(),
            signature: Signature([0x44; 64]),
        },
        ClientMessage::Join { room, space: SPACE, adopt: true, access: None },
        ClientMessage::Join { room, space: SPACE, adopt: false, access: Some(RoomAccess([0x55; 32])) },
        ClientMessage::Offer { to, attempt, body: "v=0\r\n".into() },
        ClientMessage::Answer { to, attempt: 1, body: String::new() },
        ClientMessage::Candidate { to, attempt: 0, body: "{}".into() },
        ClientMessage::Heartbeat,
        ClientMessage::Leave,
    ]
}

fn server_messages() -> Vec<ServerMessage> {
    let (from, attempt) = (SESSION, u64::MAX);
    let peer = RoomPeer { session: SESSION, node: NODE, name: "Ada".into() };
    vec![
        ServerMessage::Challenge {
            nonce: Nonce([0x66; 32]),
            protocol: PROTOCOL,
            hub: "meshwork-hub 0.1.0".into(),
        },
        ServerMessage::Authenticated,
        ServerMessage::Joined { space: SPACE, peers: vec![peer.clone()] },
        ServerMessage::PeerJoined { peer },
        ServerMessage::PeerLeft { session: SESSION },
        ServerMessage::Offer { from, attempt, body: "v=0\r\n".into() },
        ServerMessage::Answer { from, attempt: 1, body: String::new() },
        ServerMessage::Candidate { from, attempt: 0, body: "{}".into() },
        ServerMessage::HeartbeatAck,
        ServerMessage::Error { code: ErrorCode::WrongPassword, message: "wrong password".into() },
    ]
}

/// With `BLESS` set, writes the file instead of comparing.
fn check_golden(name: &str, lines: &[String]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = lines.join("\n") + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn golden_client_messages() {
    let lines: Vec<_> = client_messages().iter().map(|message| message.to_json().unwrap()).collect();
    check_golden("client.jsonl", &lines);
    let back: Vec<_> = lines.iter().map(|line| ClientMessage::from_json(line).unwrap()).collect();
    assert_eq!(back, client_messages());
}

#[test]
fn golden_server_messages() {
    let lines: Vec<_> = server_messages().iter().map(|message| message.to_json().unwrap()).collect();
    check_golden("server.jsonl", &lines);
    let back: Vec<_> = lines.iter().map(|line| ServerMessage::from_json(line).unwrap()).collect();
    assert_eq!(back, server_messages());
}

#[test]
fn golden_transcript_binds_nonce_host_and_session() {
    let transcript =
        |nonce: u8, host: &str, session| challenge_transcript(&Nonce([nonce; 32]), host, &session);
    let base = transcript(1, "hub.example", SESSION);
    check_golden("transcript.hex", &[base.to_string()]);
    assert_ne!(base, transcript(2, "hub.example", SESSION));
    assert_ne!(base, transcript(1, "hub.example:1", SESSION));
    assert_ne!(base, transcript(1, "hub.example", SessionId([0x12; 16])));
}

#[test]
fn newer_hubs_may_add_fields_and_codes() {
    let text = r#"{"type":"error","code":"not-on-tuesdays","message":"come back","until":12}"#;
    let expected = ServerMessage::Error { code: ErrorCode::Unknown, message: "come back".into() };
    assert_eq!(ServerMessage::from_json(text), Ok(expected));
}

#[test]
fn what_is_no_message_is_refused() {
    let long = format!(r#"{{"type":"leave","x":"{}"}}"#, "x".repeat(CLIENT_MESSAGE_BYTES_MAX));
    assert!(matches!(ClientMessage::from_json(&long), Err(MessageError::TooLarge { .. })));
    let deep = "[".repeat(60_000);
    let table = [
        "",
        "null",
        "{}",
        r#"{"type":"shout"}"#,
        r#"{"type":"join","room":"A3","space":"33333333333333333333333333333333","adopt":true}"#,
        r#"{"type":"join","room":"A3B7K9","space":"33","adopt":true}"#,
        r#"{"type":"offer","to":"11111111111111111111111111111111","attempt":"-1","body":""}"#,
        r#"{"type":"offer","to":"11111111111111111111111111111111","attempt":"18446744073709551616","body":""}"#,
        r#"{"type":"leave"} {"type":"leave"}"#,
        &deep,
    ];
    for text in table {
        assert!(matches!(ClientMessage::from_json(text), Err(MessageError::Malformed(_))), "{text:.80}");
    }
    let body = "x".repeat(CLIENT_MESSAGE_BYTES_MAX);
    let signal = Signal { attempt: 1, kind: SignalKind::Offer, body };
    assert!(matches!(ClientMessage::signal(SESSION, signal).to_json(), Err(MessageError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn any_text_is_a_message_or_an_error(text: String, tail in ".{0,60}") {
        for text in [text, format!(r#"{{"type":"join","room":"{tail}"#), format!(r#"{{"type":"offer","to":{tail}}}"#)] {
            let _ = ClientMessage::from_json(&text);
            let _ = ServerMessage::from_json(&text);
        }
    }

    #[test]
    fn signals_survive(attempt: u64, body: String, kind in 0usize..3) {
        let kind = [SignalKind::Offer, SignalKind::Answer, SignalKind::Candidate][kind];
        let message = ClientMessage::signal(SESSION, Signal { attempt, kind, body });
        let text = message.to_json().unwrap();
        prop_assert_eq!(ClientMessage::from_json(&text).unwrap(), message);
    }

    #[test]
    fn names_are_cut_to_whole_characters(name: String) {
        let clean = clean_name(&name);
        prop_assert!(clean.len() <= NAME_BYTES_MAX && !clean.chars().any(char::is_control));
        prop_assert_eq!(clean_name(&clean), clean);
    }
}
