#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| plumb_fuzz::at_a_desk(plumb_fuzz::vocabulary, bytes));
