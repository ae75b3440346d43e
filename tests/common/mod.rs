//! What the black-box tests stand on: the real server, the programs that ask it, and the backends behind them.
//!
//! Every process is a [`process::Process`]: it is killed by its id when its test ends, and a failed test prints how it
//! was started and what it logged. Nothing has a fixed port, and nothing outside a test's own directory is touched, so
//! that tests may run side by side. The only wait is [`eventually`].
#![allow(dead_code, unused_imports, reason = "every test binary compiles this and uses its own share")]

pub mod backend;
pub mod browser;
pub mod dig;
pub mod documents;
pub mod edns;
pub mod etcd;
pub mod events;
pub mod http;
pub mod message;
pub mod namespace;
pub mod population;
pub mod process;
pub mod receiver;
pub mod server;
mod waiting;

pub use dig::{Dig, dig};
pub use server::{Server, Setup};
pub use waiting::eventually;
