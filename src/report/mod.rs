//! What people carry away: reports and tables.

pub mod geometry;
pub mod html;
pub mod nearest;
pub mod notebook;
pub mod probe;
pub mod table;
