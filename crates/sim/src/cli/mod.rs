//! What people type.

pub(crate) mod minimise;
pub(crate) mod plot;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod setting;
pub(crate) mod swarm;
