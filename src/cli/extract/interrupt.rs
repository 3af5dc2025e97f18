//! Ctrl-C, as a wish rather than an end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static PRESSED: AtomicBool = AtomicBool::new(false);
static LISTENING: OnceLock<bool> = OnceLock::new();

/// Listens for Ctrl-C from now on, once a process; true after it was pressed. Where the system gives no such signal it stays false, and
/// the process ends as it would without us.
pub(super) fn pressed() -> &'static AtomicBool {
    LISTENING.get_or_init(|| {
        let listening = ctrlc::set_handler(|| PRESSED.store(true, Ordering::Release));
        if let Err(e) = &listening {
            log::debug!("Ctrl-C is not listened for: {e}");
        }
        listening.is_ok()
    });
    &PRESSED
}
