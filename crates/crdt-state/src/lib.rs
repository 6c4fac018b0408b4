//! Conflict-free documents: maps, registers, counters and sets.
