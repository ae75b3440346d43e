//! A web service that srvd knows: it registers when it listens, stays registered while it runs, and leaves in order.
//!
//! ```text
//! srvd serve
//! cargo run --example service -- 8080
//! dig @127.0.0.1 -p 5300 hello.svc.local SRV
//! ```
//!
//! Ctrl-C or SIGTERM takes it out of DNS, waits until no cache can still send it requests, and ends it. `SRVD_SERVER`
//! names other servers, with commas between them; port 0 takes a free one.

use std::net::Ipv4Addr;

use axum::Router;
use axum::routing::get;
use srvd::client::{Check, Client, Registration};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::var("SRVD_SERVER").unwrap_or_else(|_| "http://127.0.0.1:8053".to_owned());
    let port: u16 = std::env::args().nth(1).unwrap_or_else(|| "8080".to_owned()).parse()?;

    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let port = listener.local_addr()?.port();
    let greeting = format!("hello from port {port}\n");
    let routes = Router::new().route("/health", get(async || "well")).route("/", get(async || greeting));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });

    let client = Client::new(servers.split(','))?;
    let registration = Registration::new("hello", port).tag("example").check(Check::http("/health"));
    let registered = client.register(registration).await?;
    println!("registered {}/{} at port {port}", registered.service(), registered.id());

    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    println!("leaving");
    registered.shutdown().await?;
    serving.abort();
    println!("left");
    Ok(())
}
