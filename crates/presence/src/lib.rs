//! Who is here: heartbeats, failure detection, capabilities.
