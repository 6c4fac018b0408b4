//! Performs what machines want kept: redb on disk, memory in tests.
