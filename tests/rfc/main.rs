//! What each RFC asks of the answers, as tables: one file for each, questions to the real server over its sockets.

#[path = "../common/mod.rs"]
mod common;
mod table;

mod rfc1034;
mod rfc1035;
mod rfc2782;
mod rfc3596;
mod rfc6672;
mod rfc6763;
