//! Asking for memory before it is read.

/// Rows that are fetched ahead of the one at work.
pub(super) const AHEAD: usize = 3;

/// What tells the processor that something will be read soon; where there is no such instruction, nobody does.
#[derive(Clone, Copy)]
pub(super) struct Fetch {
    #[cfg(target_arch = "x86_64")]
    with: Option<pulp::x86::V3>,
}

impl Fetch {
    pub(super) fn detected() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            with: pulp::x86::V3::try_new(),
        }
    }

    /// Says that these will be read soon.
    #[inline(always)]
    pub(super) fn ahead<T>(self, soon: &[T]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = self.with {
            const LINE: usize = 64;
            for line in soon.chunks((LINE / size_of::<T>()).max(1)) {
                let first = line.as_ptr().cast();
                v3.sse
                    ._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(first);
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = soon;
    }
}
