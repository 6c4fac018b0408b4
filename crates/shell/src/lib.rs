//! The generic actix actor that hosts a machine.
