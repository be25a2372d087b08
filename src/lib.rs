//! Watches many Bilibili live rooms at once. See the modules in reading order.

pub mod domain;

/// Bytes to events: the conversation with the upstream, pure.
pub mod protocol;

/// A fake platform, reached over sockets only, for tests and demos.
pub mod simulator;

pub mod store;
