//! Links to peers: life cycle and handshake as a machine, WebRTC and memory as performers.
