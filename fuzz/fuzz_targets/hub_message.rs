//! Text from a session to a hub, and from a hub to a session: a message or an error, and a message is the
//! same after it was written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meshwork_discovery::{ClientMessage, ServerMessage};

fuzz_target!(|text: &str| {
    if let Ok(message) = ClientMessage::from_json(text)
        && let Ok(again) = message.to_json()
    {
        assert_eq!(ClientMessage::from_json(&again), Ok(message));
    }
    if let Ok(message) = ServerMessage::from_json(text)
        && let Ok(again) = message.to_json()
    {
        assert_eq!(ServerMessage::from_json(&again), Ok(message));
    }
});
