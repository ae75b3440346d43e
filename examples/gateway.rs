//! A gateway: `GET /SERVICE/PATH` goes to an instance of that service, and to another when that one fails.
//!
//! ```text
//! srvd serve
//! cargo run --example service -- 8080
//! cargo run --example gateway -- 8000
//! curl http://127.0.0.1:8000/hello/
//! ```
//!
//! Every service has a breaker for each of its instances, so that one that is down costs a few requests and no more.
//! `SRVD_SERVER` names other servers, with commas between them; port 0 takes a free one. `GET /-/cache` tells how the
//! cache does.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use srvd::client::{CacheRules, CallError, CallRules, Caller, Client, Discovery, Failure, Strategy};
use tokio::net::TcpListener;

/// Services that have a caller at one time; whoever asks for more is refused.
const SERVICES: usize = 1_000;

#[derive(Clone)]
struct Gateway {
    discovery: Discovery,
    callers: Arc<Mutex<HashMap<String, Caller>>>,
    http: HttpClient<HttpConnector, Body>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let servers = std::env::var("SRVD_SERVER").unwrap_or_else(|_| "http://127.0.0.1:8053".to_owned());
    let port: u16 = std::env::args().nth(1).unwrap_or_else(|| "8000".to_owned()).parse()?;

    let gateway = Gateway {
        discovery: Discovery::new(Client::new(servers.split(','))?, CacheRules::default()),
        callers: Arc::default(),
        http: HttpClient::builder(TokioExecutor::new()).build_http(),
    };
    let routes = Router::new()
        .route("/-/cache", get(cache))
        .route("/{service}/{*path}", get(forward))
        .route("/{service}/", get(forward_root))
        .with_state(gateway);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening at http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn cache(State(gateway): State<Gateway>) -> String {
    format!("{:?}\n", gateway.discovery.metrics())
}

async fn forward_root(state: State<Gateway>, Path(service): Path<String>) -> Response {
    forward(state, Path((service, String::new()))).await
}

async fn forward(State(gateway): State<Gateway>, Path((service, path)): Path<(String, String)>) -> Response {
    let Some(caller) = gateway.caller(&service) else {
        return (StatusCode::NOT_FOUND, "no such service\n").into_response();
    };
    let answer = caller
        .call(|instance| {
            let (http, uri) = (gateway.http.clone(), format!("{}/{path}", instance.url()));
            async move {
                let request =
                    Request::get(uri).body(Body::empty()).map_err(|error| Failure::Final(error.to_string()))?;
                let answer = http.request(request).await.map_err(|error| Failure::Retry(error.to_string()))?;
                match answer.status() {
                    // Whatever else it says is its answer; this says that it has none.
                    status if status.is_server_error() => Err(Failure::Retry(format!("it answers {status}"))),
                    _ => Ok(answer.map(Body::new)),
                }
            }
        })
        .await;
    answer.unwrap_or_else(|error| (status(&error), format!("{error}\n")).into_response())
}

/// The status for a call that came to nothing.
fn status(error: &CallError<String>) -> StatusCode {
    match error {
        CallError::NoInstance(_) | CallError::NoneAdmitted(_) | CallError::Discovery(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        CallError::Failed { .. } => StatusCode::BAD_GATEWAY,
        CallError::Final(_) => StatusCode::BAD_REQUEST,
    }
}

impl Gateway {
    /// The caller of a service; `None` when that is no name, or there are too many.
    fn caller(&self, service: &str) -> Option<Caller> {
        let mut callers = self.callers.lock().expect("nobody panics with it");
        if let Some(caller) = callers.get(service) {
            return Some(caller.clone());
        }
        let rules = CallRules { strategy: Strategy::LeastConnections, ..CallRules::default() };
        let caller = Caller::new(self.discovery.clone(), service, rules).ok()?;
        if callers.len() < SERVICES {
            callers.insert(service.to_owned(), caller.clone());
            return Some(caller);
        }
        None
    }
}
