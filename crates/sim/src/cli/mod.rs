//! What people type.

pub mod run;
pub mod setting;
pub mod swarm;
