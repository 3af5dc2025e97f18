//! What people carry away: reports and tables.

pub mod probe;
pub mod table;
