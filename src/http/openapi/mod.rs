//! `GET /openapi.json`: the description of this API (OpenAPI 3.1), written from the list that the router is built from.
//!
//! A call that is not described has no route, and one that has no route is not described. Bounds in the schemas are those
//! of `model::limits`, which the readers of bodies go by.

mod operation;
mod schemas;

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

pub use operation::{Content, Operation};
pub use schemas::{reference, values};

use super::calls::{self, Call};

/// What every refusal can be, beside what a call says of itself.
const REFUSALS: [(u16, &str); 12] = [
    (400, "The body is not JSON, or broke off; or no `Host` says which host the request is for."),
    (403, "The request comes from a web page of another origin."),
    (404, "What the path names is not there."),
    (405, "The path does not take the method."),
    (408, "The body did not come in time."),
    (409, "What is asked for contradicts what there is."),
    (412, "There is such an instance already, or none, or nothing has the entity tag that is asked for."),
    (413, "The body is too large."),
    (415, "The body is not JSON, or does not say so."),
    (422, "A name, a value, a member or a parameter is wrong; `field` says which."),
    (500, "The server failed."),
    (
        503,
        "The state is not loaded, the store takes no change, the server is stopping, or there is no room or nothing to give.",
    ),
];

/// `GET /openapi.json`
pub async fn openapi() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| document(calls::all()).to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone()).into_response()
}

/// The document about `calls`.
pub fn document(calls: Vec<Call>) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for call in calls {
        let path = paths.entry(call.path).or_insert_with(|| json!({}));
        path[call.method.as_str().to_ascii_lowercase()] = call.operation.into_object();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "srvd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": include_str!("about.md"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": calls::TAGS.map(|(name, about)| json!({"name": name, "description": about})),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "headers": headers(),
            "responses": REFUSALS.map(|(status, about)| (status.to_string(), refusal(status, about)))
                .into_iter().collect::<Map<_, _>>(),
        },
    })
}

fn headers() -> Value {
    json!({
        "Revision": {"description": "Revision of the registry that the reply is of.", "schema": reference("Revision")},
        "Location": {"description": "Path of the instance.", "schema": {"type": "string"}},
        "Retry-After": {
            "description": "Seconds after which it is worth another attempt.",
            "schema": {"type": "integer", "minimum": 0},
        },
    })
}

fn refusal(status: u16, about: &str) -> Value {
    let mut headers = json!({"Srvd-Revision": {"$ref": "#/components/headers/Revision"}});
    if status == 503 {
        headers["Retry-After"] = json!({"$ref": "#/components/headers/Retry-After"});
    }
    json!({
        "description": about,
        "headers": headers,
        "content": {"application/problem+json": {"schema": reference("Problem")}},
    })
}

#[cfg(test)]
mod tests;
