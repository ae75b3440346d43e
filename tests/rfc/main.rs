//! What each RFC asks of the answers, as tables: one file for each, questions to the real server over its sockets.

#[path = "../common/mod.rs"]
mod common;
mod table;

mod rfc1034;
mod rfc1035;
mod rfc2181;
mod rfc2308;
mod rfc2782;
mod rfc3596;
mod rfc3597;
mod rfc4035;
mod rfc4343;
mod rfc4592;
mod rfc4892;
mod rfc5001;
mod rfc6672;
mod rfc6763;
mod rfc6891;
mod rfc7766;
mod rfc7828;
mod rfc7830;
mod rfc7873;
mod rfc8482;
mod rfc8914;
mod rfc8945;
mod rfc9460;
mod rfc9471;
mod rfc9619;
