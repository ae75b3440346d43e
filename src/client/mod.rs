//! Speaking to srvd from a program: register, discover, watch, call.
//!
//! ```text
//! Client ─── register ──► Registered          stays registered, says how it is, leaves in order
//!    │  └─── watch ─────► Watch ─► Handlers   what happens, as it happens
//!    └─► Discovery ─► Caller                  instances, kept fresh; calls that find another when one fails
//! dns::Resolver ─┘     └─ Balancer, Breaker, Probe
//! ```
//!
//! A service registers when it is ready, and leaves when it is told to:
//!
//! ```no_run
//! use srvd::client::{Check, Client, OwnStatus, Registration};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Several servers stand in for each other.
//! let client = Client::new(["http://10.0.0.1:8053", "http://10.0.0.2:8053"])?;
//! let registered = client.register(Registration::new("web", 8080).check(Check::http("/health"))).await?;
//! registered.set_status(OwnStatus::Unhealthy, Some("the queue is full")).await?;
//! registered.set_status(OwnStatus::Healthy, None).await?;
//! tokio::signal::ctrl_c().await?;
//! registered.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Whoever uses it asks for its instances, which costs a call the first time, and lets a [`Caller`] choose:
//!
//! ```no_run
//! use srvd::client::{CacheRules, CallError, CallRules, Caller, Client, Discovery, Strategy};
//! use tokio::net::TcpStream;
//!
//! # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let discovery = Discovery::new(client, CacheRules::default());
//! let rules = CallRules { strategy: Strategy::LeastConnections, ..CallRules::default() };
//! let caller = Caller::new(discovery, "web", rules)?;
//! let connected: Result<TcpStream, CallError<std::io::Error>> =
//!     caller.call(|instance| async move { Ok(TcpStream::connect(instance.endpoint()).await?) }).await;
//! # connected?;
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! * **Registered.** Heartbeats come three times in the time of a lease. A server that does not know the instance (404),
//!   because it was started anew or is another, is told of it again, with what the instance last said of itself. Dropping
//!   [`Registered`] stops the heartbeats, so that the lease runs out.
//! * **Leaving.** [`Registered::shutdown`] drains: the instance is out of DNS and still registered until no cache can hold
//!   it any more, and deregisters then. [`Leave::maintenance`] does the same by the mark for operators. That mark stays
//!   with the name after the registration, and keeps out whatever registers under the id next; so it is not what a
//!   restart wants, and not what happens unless it is asked for.
//! * **Fresh.** [`Discovery`] follows what it is asked for. Without a server it answers with what it knows and says how old
//!   that is ([`Freshness`]); it is bounded in services, and in connections.
//! * **Called.** A [`Caller`] tries three times more, after pauses that double from 100 ms and are half left to chance, and
//!   takes another instance each time while there is one. A [`Breaker`] for each keeps calls from those that are down.
//! * **Ending.** Everything runs on the tokio runtime of its caller, and ends when its value is dropped.

mod balancer;
mod breaker;
mod caller;
mod choice;
mod discovery;
pub mod dns;
mod error;
mod event;
mod handlers;
pub(crate) mod http;
mod instance;
mod knowledge;
mod lease;
mod lru;
mod own_address;
mod probe;
mod registered;
mod registration;
mod ring;
mod server_url;
mod servers;
pub(crate) mod sse;
pub(crate) mod target;
mod watch;

pub use crate::model::{Address, InstanceId, ServiceName, Status, Strategy};
pub use balancer::{Balancer, Picked};
pub use breaker::{Admission, Breaker, BreakerRules, Ending};
pub use caller::{AttemptError, CallError, CallRules, Caller, Failure};
pub use discovery::{CacheMetrics, CacheRules, Discovery, Found};
pub use error::{Error, Problem};
pub use event::{Change, ChangeKind, Event};
pub use handlers::{Handlers, Handling};
pub use http::TransportError;
pub use instance::{Instance, Instances};
pub use knowledge::Freshness;
pub use lease::LeaseState;
pub use own_address::own_address;
pub use probe::{Probe, ProbeError};
pub use registered::{Leave, LoadReport, OwnStatus, Registered};
pub use registration::{Check, Registration};
pub use server_url::{ServerUrl, ServerUrlError};
pub use servers::{Client, ServersError};
pub use watch::Watch;

/// The Rust of the documents compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct Page;
