//! The changes of a service, or of all, as they happen.
//!
//! A stream that breaks is opened again and goes on after the last event that was read (`Last-Event-ID`). On another
//! server that number may mean something else, so there it begins with a reset: everything that is there is told again.

use std::collections::VecDeque;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};

use super::event::Event;
use super::http::Call;
use super::servers::service_name;
use super::sse::{Parser, TooLong};
use super::target::Target;
use super::{Client, Error, Problem, ServerUrl};
use crate::model::ServiceName;
use crate::outbound::Backoff;

/// A server that is there says something at least twice in this time.
const SILENCE: Duration = Duration::from_secs(35);
/// The pauses between attempts to open a stream while no server lets it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A place in the changes. It reconnects by itself for as long as it is asked for more.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    service: Option<ServiceName>,
    parser: Parser,
    /// The server that the last stream was from.
    server: Option<ServerUrl>,
    body: Option<Incoming>,
    opened: Option<Instant>,
    read: VecDeque<Event>,
    backoff: Backoff,
    /// How long to wait before the next attempt.
    pause: Duration,
}

/// What a watch notices.
#[derive(Debug)]
pub(super) enum Signal {
    /// A stream is open: from now on every change comes in.
    Connected(ServerUrl),
    Event(Event),
    /// The stream broke off.
    Lost,
}

impl Client {
    /// Watches a service, from now on.
    ///
    /// ```no_run
    /// use srvd::client::{Client, Event};
    ///
    /// # async fn example(client: Client) -> Result<(), srvd::client::Error> {
    /// let mut watch = client.watch("web")?;
    /// loop {
    ///     match watch.next().await {
    ///         Event::Put(change, instance) => println!("{}: {} {:?}", change.revision, instance.id, instance.status),
    ///         Event::Remove(change) => println!("{}: {} is gone", change.revision, change.id),
    ///         Event::Reset => println!("everything is told anew"),
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// When that is no name of a service.
    pub fn watch(&self, service: &str) -> Result<Watch, Error> {
        Ok(Watch::new(self.clone(), Some(service_name(service)?)))
    }

    /// Watches all services, from now on.
    pub fn watch_all(&self) -> Watch {
        Watch::new(self.clone(), None)
    }
}

impl Watch {
    pub(super) fn new(client: Client, service: Option<ServiceName>) -> Self {
        Self {
            client,
            service,
            parser: Parser::default(),
            server: None,
            body: None,
            opened: None,
            read: VecDeque::new(),
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            pause: Duration::ZERO,
        }
    }

    /// The next event; waits for it, and for a server, as long as it takes. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Signal::Event(event) = self.signal().await {
                return event;
            }
        }
    }

    /// Returns once a stream is open, so that every change from then on comes in.
    pub async fn connected(&mut self) {
        while self.body.is_none() {
            if let Signal::Event(event) = self.signal().await {
                self.read.push_front(event);
                return;
            }
        }
    }

    /// The next thing to notice. Nothing is lost when the wait is given up.
    pub(super) async fn signal(&mut self) -> Signal {
        if let Some(event) = self.read.pop_front() {
            return Signal::Event(event);
        }
        loop {
            let Some(body) = &mut self.body else { return Signal::Connected(self.connect().await) };
            let frame = timeout(SILENCE, body.frame()).await;
            let Ok(Some(Ok(frame))) = frame else { return self.lose() };
            let Some(octets) = frame.data_ref() else { continue };
            let read = &mut self.read;
            let taken = self.parser.push::<TooLong>(octets, |data| {
                read.extend(Event::read(data));
                Ok(())
            });
            if taken.is_err() {
                return self.lose();
            }
            if let Some(event) = self.read.pop_front() {
                self.backoff.reset();
                return Signal::Event(event);
            }
        }
    }

    /// The server that the last stream was from.
    pub(super) fn server(&self) -> Option<&ServerUrl> {
        self.server.as_ref()
    }

    /// Gives the stream up, to open another: soon, if it was of use.
    pub(super) fn lose(&mut self) -> Signal {
        if self.opened.is_some_and(|opened| opened.elapsed() > LONGEST_PAUSE) {
            self.backoff.reset();
        }
        self.body = None;
        self.parser.start_over();
        self.pause = self.backoff.next(rand::random());
        Signal::Lost
    }

    /// Opens a stream at whichever server lets it.
    async fn connect(&mut self) -> ServerUrl {
        loop {
            sleep(self.pause).await;
            let servers: Vec<ServerUrl> = self.client.in_turn().cloned().collect();
            for server in servers {
                if let Some(body) = self.open(&server).await {
                    (self.body, self.server) = (Some(body), Some(server.clone()));
                    self.opened = Some(Instant::now());
                    return server;
                }
            }
            self.pause = self.backoff.next(rand::random());
        }
    }

    async fn open(&mut self, server: &ServerUrl) -> Option<Incoming> {
        let mut target = Target::v1(&["watch"]).with_each("service", self.service.as_ref().map(ServiceName::as_str));
        let is_same = self.server.as_ref() == Some(server);
        if self.server.is_some() && !is_same {
            // In the future whatever the server's revision is, so that it begins with a reset.
            target = target.with("since", &u64::MAX.to_string());
        }
        let last_id = self.parser.last_id.clone().filter(|_| is_same);
        let subject = self.service.as_ref().map_or("watch", ServiceName::as_str);
        let opened = self.client.http().open(server, Call::new(subject, Method::GET, target), last_id.as_deref()).await;
        let response = opened.inspect_err(|error| tracing::debug!(%server, %error, "no stream of changes")).ok()?;
        let (status, body) = (response.status(), response.into_body());
        if status.is_success() {
            return Some(body);
        }
        let problem = Problem::read(status, &self.client.http().whole(server, body).await.unwrap_or_default());
        tracing::debug!(%server, %problem, "a stream of changes was refused");
        None
    }
}
