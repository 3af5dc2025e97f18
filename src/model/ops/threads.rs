//! Whether an operation may use several threads.

use rayon::prelude::*;
use std::cell::Cell;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs models within `f` on this thread only. Several batches, each on a thread of its own, are faster than one after the other on all
/// threads; the numbers are the same.
pub fn alone<T>(f: impl FnOnce() -> T) -> T {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _reset = Reset(ALONE.replace(true));
    f()
}

/// How many threads an operation may use.
pub(super) fn workers() -> usize {
    match ALONE.get() {
        true => 1,
        false => rayon::current_num_threads(),
    }
}

/// Calls `f` for pieces of `out` of `length` numbers each (a multiple of whatever belongs together), with their place in order.
pub(super) fn pieces(out: &mut [f32], length: usize, f: impl Fn(usize, &mut [f32]) + Send + Sync) {
    let length = length.max(1);
    match out.len() <= length || workers() == 1 {
        true => out
            .chunks_mut(length)
            .enumerate()
            .for_each(|(i, out)| f(i, out)),
        false => out
            .par_chunks_mut(length)
            .enumerate()
            .for_each(|(i, out)| f(i, out)),
    }
}
