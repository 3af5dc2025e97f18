//! What people carry away: tables.

pub mod table;
