//! A stream from beginning to end: open it, print each event, and come back when it breaks.
//!
//! The first connection decides: when no server is there, or it refuses, the command ends. From then on it is kept up:
//! what breaks is opened anew and goes on after the last event that was printed, so that no change is left out.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::Value;

use super::ask::{self, Ask, Page, Streams};
use super::client::{Call, Client, ClientError};
use super::connection::{Connection, Output};
use super::exit::{self, Exit, Failure};
use super::problem::Problem;
use super::sse::{Parser, TooLong};

/// Between two attempts to connect, unless the server asks for another.
const RETRY: Duration = Duration::from_secs(1);
/// A server that is there says something four times as often.
const SILENCE: Duration = Duration::from_secs(60);

/// Why reading a stream ended.
enum Broken {
    /// The connection is gone; another may do.
    Lost,
    Failed(Failure),
    /// Whoever read the output has gone away.
    Unread,
}

impl From<TooLong> for Broken {
    fn from(_: TooLong) -> Self {
        Self::Lost
    }
}

/// Follows the stream that `ask` opens.
///
/// # Errors
/// When it cannot be opened at first, or is refused, or nothing can be printed.
pub(super) fn run(ask: &dyn Ask, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let call = ask.call(streams.input).map_err(Failure::Usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Runtime)?;
    let ended = runtime.block_on(follow(ask, &call, streams));
    // A name look-up that hangs cannot be cancelled; it must not hold up the exit.
    runtime.shutdown_background();
    ended.map(|()| Exit::Done)
}

async fn follow(ask: &dyn Ask, call: &Call, streams: &mut Streams<'_>) -> Result<(), Failure> {
    let client = Client::new(ask.connection().server.clone());
    let mut parser = Parser::default();
    let mut body = open(&client, call, None).await?;
    loop {
        match read(ask, body, &mut parser, streams).await {
            Broken::Unread => return Ok(()),
            Broken::Failed(failure) => return Err(failure),
            Broken::Lost => {}
        }
        let Connection { server, output } = ask.connection();
        let words = format!("the connection to {server} ended; opening another");
        // Nobody is left to be told when standard error is gone, too.
        let _ = writeln!(streams.errors, "{}", exit::told(&words, *output));
        parser.start_over();
        body = loop {
            tokio::time::sleep(parser.retry.unwrap_or(RETRY)).await;
            match open(&client, call, parser.last_id.as_deref()).await {
                Ok(body) => break body,
                Err(failure) if passes(&failure) => {}
                Err(failure) => return Err(failure),
            }
        };
    }
}

/// Whether an attempt failed for a reason that goes by, as while a server is started anew.
fn passes(failure: &Failure) -> bool {
    match failure {
        Failure::Client(_) => true,
        Failure::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
        Failure::Usage(_) | Failure::Short { .. } | Failure::NotJson { .. } | Failure::Output(_) => false,
    }
}

async fn open(client: &Client, call: &Call, last_id: Option<&str>) -> Result<Incoming, Failure> {
    let response = client.open(call.clone(), last_id).await?;
    let (status, body) = (response.status(), response.into_body());
    if status.is_success() {
        return Ok(body);
    }
    let problem = Problem::read(status, &client.whole(body).await?);
    Err(Failure::Refused { subject: call.subject.clone(), status, problem })
}

async fn read(ask: &dyn Ask, mut body: Incoming, parser: &mut Parser, streams: &mut Streams<'_>) -> Broken {
    loop {
        let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_)) | None) | Err(_) => return Broken::Lost,
        };
        let Some(octets) = frame.data_ref() else { continue };
        if let Err(broken) = parser.push(octets, |data| print(ask, data, streams)) {
            return broken;
        }
    }
}

fn print(ask: &dyn Ask, data: &str, streams: &mut Streams<'_>) -> Result<(), Broken> {
    let page = Page { screen: streams.screen, now: Timestamp::now() };
    let text = match ask.connection().output {
        Output::Json => data.to_owned(),
        Output::Table => ask.show(&serde_json::from_str(data).unwrap_or(Value::Null), page),
    };
    match ask::print(streams.output, text.as_bytes()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Broken::Unread),
        Err(error) => Err(Broken::Failed(Failure::Output(error))),
    }
}
