//! `GET /v1/snapshot`: everything that is registered, at one revision, as a file to keep.
//!
//! It is made while it is read, so it takes no memory but that of the registry, which goes on meanwhile. A reply that is
//! cut off lacks its end, and is refused by whoever reads it.

use std::convert::Infallible;
use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::params::Params;
use super::problem::Problem;
use super::{Api, stamped};
use crate::archive::{Head, HeadKind, LineWriter, Writer};
use crate::engine::Whole;
use crate::model::Reason;
use crate::registry::Record;

/// Octets that are handed over at once.
const PART: usize = 64 << 10;

/// The form of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    Json,
}

/// Sends everything, as `format=binary`, the default, or `format=json`.
pub async fn snapshot(State(api): State<Api>, mut params: Params) -> Result<Response, Problem> {
    let form = params.one("format", |text| match text {
        "binary" => Ok(Form::Binary),
        "json" => Ok(Form::Json),
        _ => Err(Reason::Choice { choices: &["binary", "json"] }),
    })?;
    params.finish()?;
    let (form, place, engine) = (form.unwrap_or(Form::Binary), api.watchers.enter()?, api.engine.clone());
    let whole = tokio::task::spawn_blocking(move || engine.whole()).await;
    let whole = whole.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the registry could not be read"))?;
    let revision = whole.revision;
    let parts = Parts { place, stopping: api.stopping.clone(), making: Making::begin(whole, form).ok() };
    let (kind, name) = match form {
        Form::Binary => ("application/octet-stream", format!("attachment; filename=\"srvd-{}.backup\"", revision.0)),
        Form::Json => ("application/x-ndjson", format!("attachment; filename=\"srvd-{}.json\"", revision.0)),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = stream::unfold(parts, |mut parts| async move { Some((Ok::<_, Infallible>(parts.next()?), parts)) });
    // Whoever compresses the stream asks on after its end.
    let body = body.fuse();
    Ok(stamped((headers, Body::from_stream(body)).into_response(), revision))
}

/// A snapshot that is being sent.
struct Parts {
    #[expect(dead_code, reason = "held as long as the reply")]
    place: OwnedSemaphorePermit,
    stopping: CancellationToken,
    making: Option<Making>,
}

/// One that is not at its end.
struct Making {
    records: Box<dyn Iterator<Item = Record> + Send>,
    writer: Output,
}

enum Output {
    Binary(Writer<Vec<u8>>),
    Json(LineWriter<Vec<u8>>),
}

impl Parts {
    /// The next part; `None` at the end, or when the server stops, which leaves the end out.
    fn next(&mut self) -> Option<Bytes> {
        let making = self.making.take().filter(|_| !self.stopping.is_cancelled())?;
        // Writing to memory does not fail.
        let (part, making) = making.part().ok()?;
        self.making = making;
        Some(part.into())
    }
}

impl Making {
    fn begin(whole: Whole, form: Form) -> io::Result<Self> {
        let (revision, records) = (whole.revision, whole.count());
        let writer = match form {
            Form::Binary => Output::Binary(Writer::new(
                Vec::new(),
                &Head { kind: HeadKind::Copy, generation: 0, revision, records },
            )?),
            Form::Json => Output::Json(LineWriter::new(Vec::new(), revision, records)?),
        };
        Ok(Self { records: Box::new(whole.into_records()), writer })
    }

    /// The next part, and what is left.
    fn part(mut self) -> io::Result<(Vec<u8>, Option<Self>)> {
        while self.writer.ready().len() < PART {
            let Some(record) = self.records.next() else { return Ok((self.writer.finish()?, None)) };
            self.writer.put(&record)?;
        }
        Ok((std::mem::take(self.writer.ready()), Some(self)))
    }
}

impl Output {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        match self {
            Self::Binary(writer) => writer.put(record),
            Self::Json(writer) => writer.put(record),
        }
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Binary(writer) => writer.output(),
            Self::Json(writer) => writer.output(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Binary(writer) => writer.finish(),
            Self::Json(writer) => writer.finish(),
        }
    }
}
