//! A worker: it brings jobs to the instance that each belongs to, says how it does, and tells what it sees.
//!
//! ```text
//! srvd serve
//! cargo run --example service -- 8080
//! cargo run --example service -- 8081
//! cargo run --example worker -- hello 100
//! ```
//!
//! Jobs of one key go to one instance for as long as it is there (consistent hashing). The worker is registered, too, as
//! `worker`: it is `starting` until its first job is done, and `unhealthy` while jobs fail. `SRVD_SERVER` names other
//! servers, with commas between them.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use srvd::client::{
    CacheRules, CallRules, Caller, Client, Discovery, Handlers, Leave, LoadReport, OwnStatus, Registration, Strategy,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The octets of an answer that are read.
const ANSWER: u64 = 4_096;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::var("SRVD_SERVER").unwrap_or_else(|_| "http://127.0.0.1:8053".to_owned());
    let service = std::env::args().nth(1).unwrap_or_else(|| "hello".to_owned());
    let jobs: u32 = std::env::args().nth(2).unwrap_or_else(|| "10".to_owned()).parse()?;
    let client = Client::new(servers.split(','))?;

    // An instance has a port; this one says nothing, and shows that the worker is there.
    let presence = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let registration = Registration::new("worker", presence.local_addr()?.port()).starting();
    let registered = client.register(registration).await?;

    let _handling = Handlers::new()
        .on_registered(|_, instance| println!("{} came, at {}", instance.id, instance.endpoint()))
        .on_status(|_, instance| println!("{} is {}", instance.id, instance.status.as_str()))
        .on_removed(|change| println!("{} went", change.id))
        .run(client.watch(&service)?);

    let discovery = Discovery::new(client, CacheRules::default());
    let rules =
        CallRules { strategy: Strategy::ConsistentHash, timeout: Duration::from_secs(2), ..CallRules::default() };
    let caller = Caller::new(discovery, &service, rules)?;
    let mut status = OwnStatus::Starting;
    for job in 0..jobs {
        let (key, started) = (format!("customer-{}", job % 5), Instant::now());
        let done = caller.call_for(&key, |instance| async move { Ok(bring(&instance.endpoint(), job).await?) }).await;
        let (now, message) = match done {
            Ok(answer) => {
                println!("job {job} of {key} is done: {answer}");
                (OwnStatus::Healthy, None)
            }
            Err(error) => {
                println!("job {job} of {key} failed: {error}");
                (OwnStatus::Unhealthy, Some(error.to_string()))
            }
        };
        if std::mem::replace(&mut status, now) != now {
            registered.set_status(now, message.as_deref()).await?;
            registered.report_load(LoadReport::new().latency(started.elapsed())).await?;
        }
    }
    registered.leave(Leave::drain().within(Duration::from_secs(10))).await?;
    println!("done");
    Ok(())
}

/// Does the job: asks for `/` and gives the last line of the answer.
async fn bring(endpoint: &str, job: u32) -> io::Result<String> {
    let mut stream = TcpStream::connect(endpoint).await?;
    let request = format!("GET /?job={job} HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER).read_to_string(&mut answer).await?;
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(answer.lines().last().unwrap_or_default().to_owned()),
        false => Err(io::Error::other(answer.lines().next().unwrap_or("it says nothing").to_owned())),
    }
}
