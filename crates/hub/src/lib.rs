//! The rendezvous server: rooms, authentication, signalling. Sees no application data.
