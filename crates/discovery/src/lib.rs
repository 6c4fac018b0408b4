//! Finding peers: rooms on a hub, fixed addresses.
