//! What people carry away: reports and tables.

pub mod html;
pub mod lens;
pub mod map;
pub mod notebook;
pub mod probe;
pub mod table;
