//! What each RFC asks of the answers, as tables: one file for each, questions to the real server over its sockets.

#[path = "../common/mod.rs"]
mod common;
mod table;

mod rfc1034;
