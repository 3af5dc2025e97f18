//! What people carry away: reports and tables.

pub mod checklist;
pub mod curve;
pub mod data_file;
pub mod drift;
pub mod gate;
pub mod geometry;
pub mod html;
pub mod kinds;
pub mod lens;
pub mod map;
pub mod nearest;
pub mod notebook;
pub mod probe;
pub mod probe_charts;
pub mod probe_file;
mod probe_table;
pub mod score;
pub mod table;
pub mod transfer;
