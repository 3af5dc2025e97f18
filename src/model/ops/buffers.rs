//! Where the buffers of operations come from.
//!
//! Each micro-batch takes and gives back the same large buffers. The allocator hands them out again without a detour through the system (5 % of
//! an extraction), and keeps those that nobody uses for a while: by default it gives them back to the system after a tenth of a second, which then
//! clears every page again for the next batch (a fifth of a forward pass whose hidden states are looked at and dropped, for 2 to 10 % more memory at the peak).

use std::sync::Once;

/// Here rather than in `main.rs`, so that benches measure what users run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 (include/mimalloc.h): milliseconds, or less than 0 for never.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// From now on memory that was given back is kept for whoever asks next, unless `MIMALLOC_PURGE_DELAY` says otherwise.
#[allow(unsafe_code, reason = "the allocator's options have no other door")]
pub(in crate::model) fn keep() {
    const NEVER: std::ffi::c_long = -1;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a number is written into the allocator's table of options, by a function that checks the index; other threads may read the number before or after.
        unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, NEVER) }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of an option is its place in an enumeration, which another version may order differently.
    #[test]
    #[allow(unsafe_code, reason = "as above")]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: reads the version and a number.
        let (version, delay) = unsafe {
            keep();
            (
                libmimalloc_sys::mi_version(),
                libmimalloc_sys::mi_option_get(PURGE_DELAY),
            )
        };
        assert_eq!(
            version, 20_302,
            "is {PURGE_DELAY} still the purge delay there?"
        );
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            assert_eq!(delay, -1);
        }
    }
}
