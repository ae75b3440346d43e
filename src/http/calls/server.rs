//! Calls about the server itself.

use serde_json::json;

use super::Call;
use crate::http::openapi::{self, Content, Operation};
use crate::http::{console, history, metrics, snapshot, status};

pub fn calls() -> Vec<Call> {
    vec![
        Call::always("/v1/status", status::status, status_of_server()),
        Call::always("/v1/history", history::history, last_hour()),
        Call::get("/v1/snapshot", snapshot::snapshot, everything()),
        Call::always("/healthz", status::alive, alive()),
        Call::always("/readyz", status::ready, ready()),
        Call::always("/metrics", metrics::metrics, figures()),
        Call::always("/openapi.json", openapi::openapi, description()),
        Call::always("/", console::console, page()),
    ]
}

fn about(id: &'static str, summary: &'static str) -> Operation {
    Operation::new("server", id, summary)
}

fn status_of_server() -> Operation {
    about("status", "Version, revision, numbers, what is held, and what happens next")
        .replies(200, "The state of the server.", Content::Json("ServerStatus"))
        .refuses(&[422, 500])
}

fn last_hour() -> Operation {
    about("history", "Figures of the last hour")
        .about("Counters grow from the start of the process; the numbers of instances are those at that time.")
        .replies(200, "Samples, oldest first.", Content::Json("History"))
        .refuses(&[422])
}

fn everything() -> Operation {
    let form = json!({"type": "string", "enum": ["binary", "json"], "default": "binary"});
    about("snapshot", "Everything that is registered, at one revision, as a file to restore from")
        .query("format", "The form of the file: for machines, or for people too.", form)
        .replies(200, "The file.", Content::File(&["application/octet-stream", "application/x-ndjson"]))
        .refuses(&[500])
}

fn alive() -> Operation {
    about("alive", "Whether the process answers").replies(200, "It does.", Content::Text("text/plain"))
}

fn ready() -> Operation {
    about("ready", "Whether the server should be sent traffic")
        .about("503 until the state is loaded and every listener is up, and while stopping.")
        .replies(200, "It should.", Content::Text("text/plain"))
        .refuses(&[503])
}

fn figures() -> Operation {
    about("metrics", "Figures for Prometheus")
        .replies(200, "The text format, version 0.0.4.", Content::Text("text/plain"))
        .refuses(&[422, 500, 503])
}

fn description() -> Operation {
    about("openapi", "This description").replies(200, "OpenAPI 3.1.", Content::Json("Document"))
}

fn page() -> Operation {
    about("console", "The console, for people").replies(200, "One page.", Content::Text("text/html"))
}
