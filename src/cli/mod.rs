//! The doors: what was typed -> checked plan -> run -> result out.
