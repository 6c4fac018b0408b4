//! The durable log of signed operations: causal delivery, anti-entropy, equivocation.
