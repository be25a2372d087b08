//! The pure half of the program, compiled alone, for `cargo fuzz`.
//!
//! `domain` and `protocol` use nothing else of ours, so they stand here by path, without actors, database and web,
//! which builds in a minute. What must hold of any bytes is `protocol/torture_tests.rs`, which `cargo test` runs
//! with a few thousand seeded mutations.
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --bin seeds fuzz/corpus/packet_to_events
//! RUSTC_BOOTSTRAP=1 cargo fuzz run -s none packet_to_events -- -max_total_time=600
//! ```

#[path = "../../src/domain/mod.rs"]
pub mod domain;

#[path = "../../src/protocol/mod.rs"]
pub mod protocol;
