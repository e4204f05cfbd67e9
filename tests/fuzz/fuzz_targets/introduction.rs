//! See `ftq_tests::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (ftq_tests::fuzz::target("introduction").body)(bytes));
