//! Durability receipts: who has stored what, and when an operation is confirmed.
