//! Any bytes, as a frame or packed in one: nothing panics, hangs or comes out wrong.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bilibili_live_monitor_fuzz::protocol::torture::chew(bytes);
});
