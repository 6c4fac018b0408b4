//! A node in a browser tab.
//!
//! The machines and routes are those of every other node ([`meshwork::Mesh`]); this crate is the host around them, in
//! one thread, and the browser's performers:
//!
//! ```text
//!   meshwork.js ── WebNode (api.rs) ──► Host (host.rs, inner.rs) ──► Mesh: step, effects
//!        ▲                                │  ▲
//!        │ events, as JSON                │  └─ inputs: one browser callback, one input
//!        └────────────────────────────────┤
//!                   RTCPeerConnection ◄── connection/      WebSocket ◄── hub.rs
//!                    BroadcastChannel ◄── tabs.rs, connection/tab.rs, js/tabs.js
//!                   IndexedDB (js/store.js) ◄── rows       setTimeout, clocks, randomness ◄── browser.rs
//! ```
//!
//! Invariants:
//! - **the page gets its turn**: a stored log is opened (`opening.rs`), what came over links and what the log hands to the
//!   documents is dealt with (`slice.rs`, `arrivals.rs`) in slices of a few milliseconds; everything else at once;
//! - **one borrow at a time**: an input is handled whole, its effects are performed, and only then are JavaScript's
//!   listeners called, so they may call back into the node;
//! - **a connection is always closed**: browsers keep one that is merely forgotten;
//! - **`persisted` follows the transaction's `complete` event**, with strict durability, and nothing else; in a tab that
//!   follows another one, that one's word that it holds as much (`following.rs`);
//! - **a store is written by one tab**, which holds its lock (`js/life.js`);
//! - **a DTLS certificate is named without doubt**: a description with more than one fingerprint is refused.
//!
//! The JavaScript side (`js/meshwork.js`, `js/meshwork.d.ts`) is what web developers use; `docs/web.md` shows how.

mod api;
mod arrivals;
mod browser;
mod change;
mod connection;
mod error;
mod event;
mod following;
mod host;
mod hub;
mod inner;
mod join;
mod opening;
mod operations;
mod options;
mod progress;
mod qr;
mod rows;
mod slice;
mod stage;
mod status;
mod tabs;

pub use api::WebNode;
pub use opening::NodeOpening;
pub use qr::qr_code;
pub use rows::{RowsToStore, StoredRows};
