//! Configuration: one file, the environment and flags become one checked [`Config`].
//!
//! Every key is one row of `table::ROWS`; reading, bounds, errors and the comments of `config.toml` go by it. A flag
//! outranks a variable, a variable the file, the file the default. Everything that is wrong is found in one pass and
//! reported together, each problem with the place it comes from. Each value is checked wherever it stands: one that is
//! overridden must still be right, so that taking a flag away never uncovers a broken file.
//!
//! The environment and flags are arguments; the file is the only thing read here. Whether an address is free or a
//! directory is there is for the caller to find out, and to report through [`Loaded::problem`].

mod agree;
mod file;
mod given;
mod load;
mod node;
mod origin;
mod outside;
mod problem;
mod secret;
mod sections;
mod setting;
mod slot;
mod substitute;
mod table;
mod take;
mod update;
mod word;

pub use load::{Loaded, Sources};
pub use origin::{Origin, Origins};
pub use problem::{Problem, Problems, Reason};
pub use secret::{CookieSecret, Secret};
pub use sections::{Config, Dns, Health, Http, Leases, Load, Log, Store, Traces};
pub use setting::Setting;
pub use update::Update;
pub use word::{LogFormat, LogLevel, StoreKind};
