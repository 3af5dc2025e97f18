#![no_main]

use std::sync::LazyLock;

static SPACE: LazyLock<plumb::analysis::neighbors::Space> = LazyLock::new(plumb_fuzz::space);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| plumb_fuzz::index(bytes, &SPACE));
