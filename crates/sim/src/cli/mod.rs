//! What people type.

pub(crate) mod run;
pub(crate) mod setting;
pub(crate) mod swarm;
