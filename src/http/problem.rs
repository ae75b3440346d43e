//! Refusals as problem documents (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::engine::WriteError;
use crate::model::Invalid;
use crate::registry::Refusal;

/// Seconds after which a client should try again what failed for a reason that passes.
const RETRY_AFTER_S: u16 = 1;

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    field: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind: usual_kind(status), detail: detail.into(), field: None }
    }

    /// The same, of another kind than most with its status.
    pub fn of_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }
}

fn usual_kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "not-json",
        StatusCode::FORBIDDEN => "foreign-origin",
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PRECONDITION_FAILED => "exists",
        StatusCode::PAYLOAD_TOO_LARGE => "too-large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported-media-type",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "failed",
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let detail = invalid.to_string();
        let field = Some(invalid.field).filter(|field| !field.is_empty());
        Self { field, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Unknown(_) | Refusal::UnknownService(_) | Refusal::UnknownSubscription(_) => {
                Self::new(StatusCode::NOT_FOUND, detail)
            }
            Refusal::Exists(_) => Self::new(StatusCode::PRECONDITION_FAILED, detail),
            Refusal::Absent(_) => Self::new(StatusCode::PRECONDITION_FAILED, detail).of_kind("no-match"),
            Refusal::TooManySubscriptions { .. } => Self::new(StatusCode::CONFLICT, detail),
            Refusal::Clash { .. } => Self { field: Some("tags".to_owned()), ..Self::new(StatusCode::CONFLICT, detail) },
            Refusal::Invalid(invalid) => invalid.into(),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::NotDurable(_) | WriteError::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        }
    }
}

impl Problem {
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The problem document.
    pub fn document(&self) -> Value {
        let mut document = Map::new();
        document.insert("type".into(), format!("urn:srvd:problem:{}", self.kind).into());
        document.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("detail".into(), self.detail.as_str().into());
        if let Some(field) = &self.field {
            document.insert("field".into(), field.as_str().into());
        }
        Value::Object(document)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self.document())).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

/// The state is not loaded yet.
pub fn loading() -> Response {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the state is being loaded").into_response()
}

pub async fn no_route(uri: axum::http::Uri) -> Response {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path())).into_response()
}

pub async fn no_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path())).into_response()
}
