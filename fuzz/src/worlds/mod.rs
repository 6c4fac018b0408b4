//! For each machine, what may happen to it in any order, and what must hold whatever happens.

pub mod consensus;
pub mod discovery;
pub mod documents;
pub mod hub;
pub mod mesh;
pub mod op_log;
pub mod presence;
pub mod settings;
pub mod stored_rows;
pub mod transport;

use meshwork_base::{NodeId, SessionId};

/// The session that a byte of a fuzz input chooses, of six. The first is that of the machine under test.
pub fn session(chosen: u8) -> SessionId {
    SessionId([1 + chosen % 6; 16])
}

/// Its node. Two sessions each share one.
pub fn node(chosen: u8) -> NodeId {
    NodeId([1 + chosen % 6 / 2; 32])
}
