//! Compose peer-to-peer mesh nodes: replicated state, WebRTC links, a durable log, no server in the data path.
