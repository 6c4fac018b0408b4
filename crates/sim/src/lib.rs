//! Deterministic simulator: the composed machines on a virtual clock and a hostile network.
