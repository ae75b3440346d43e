//! The servers, and a call to whichever of them answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::http::{Call, Http, Reply};
use super::target::Target;
use super::{Error, Instance, Instances, Problem, ServerUrl, ServerUrlError, TransportError};
use crate::model::ServiceName;

/// Speaks to one server, or to several that stand in for each other. Cheap to clone; clones share connections.
///
/// A call goes to the server that answered last. When that gives no reply, or says that it cannot for now (502, 503,
/// 504), each of the others is asked, in the order in which they were given. Servers that share no store hold what was
/// registered with each: an instance is then known to the one that its heartbeats go to.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    servers: Vec<ServerUrl>,
    /// The place of the one that answered last.
    at: AtomicUsize,
    http: Http,
}

/// Why a list is not one of servers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServersError {
    #[error("no server is given; one is like http://127.0.0.1:8053")]
    None,
    #[error("{text}: {reason}")]
    Url { text: String, reason: ServerUrlError },
}

impl Client {
    /// A client of the servers at these URLs, which are asked for nothing yet.
    ///
    /// ```
    /// use srvd::client::Client;
    ///
    /// let client = Client::new(["http://10.0.0.1:8053", "http://10.0.0.2:8053"])?;
    /// # assert_eq!(client.servers().len(), 2);
    /// assert!(Client::new(["10.0.0.1:8053"]).is_err(), "the scheme is missing");
    /// # Ok::<_, srvd::client::ServersError>(())
    /// ```
    ///
    /// # Errors
    /// When there is none, or one is no URL of a server.
    pub fn new<'a>(servers: impl IntoIterator<Item = &'a str>) -> Result<Self, ServersError> {
        let read = |text: &str| text.parse().map_err(|reason| ServersError::Url { text: text.to_owned(), reason });
        let servers = servers.into_iter().map(read).collect::<Result<Vec<ServerUrl>, _>>()?;
        if servers.is_empty() {
            return Err(ServersError::None);
        }
        Ok(Self { shared: Arc::new(Shared { servers, at: AtomicUsize::new(0), http: Http::default() }) })
    }

    pub fn servers(&self) -> &[ServerUrl] {
        &self.shared.servers
    }

    pub(super) fn http(&self) -> &Http {
        &self.shared.http
    }

    /// All servers, the one that answered last first.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &ServerUrl> {
        let at = self.shared.at.load(Ordering::Relaxed);
        let (before, from) = self.shared.servers.split_at(at);
        from.iter().chain(before)
    }

    /// `server` answers: it is asked first from now on.
    pub(super) fn prefer(&self, server: &ServerUrl) {
        if let Some(at) = self.shared.servers.iter().position(|other| other == server) {
            self.shared.at.store(at, Ordering::Relaxed);
        }
    }

    /// Makes a call that may be made twice to whichever server answers.
    ///
    /// # Errors
    /// When none gives a reply. What the reply says is not looked at but for whether it passes by.
    pub(crate) async fn call(&self, call: Call) -> Result<Reply, Error> {
        let (mut failures, mut refusal) = (Vec::new(), None);
        for server in self.in_turn() {
            match self.send(server, &call).await {
                Ok(reply) if matches!(reply.status.as_u16(), 502..=504) => refusal = Some(reply),
                Ok(reply) => {
                    self.prefer(server);
                    return Ok(reply);
                }
                Err(failure) => failures.push(failure),
            }
        }
        refusal.ok_or(Error::Away(failures))
    }

    /// A connection that was kept may be closed by the time that it is used again. That is no reason to leave a server, so
    /// what broke is tried once more.
    async fn send(&self, server: &ServerUrl, call: &Call) -> Result<Reply, TransportError> {
        match self.http().send(server, call.clone()).await {
            Err(TransportError::Broken { .. }) => self.http().send(server, call.clone()).await,
            other => other,
        }
    }

    /// The instances of a service as the servers have them now, without any cache; none if there is no such service.
    ///
    /// # Errors
    /// When no server answers, or refuses.
    pub async fn instances(&self, service: &str) -> Result<Instances, Error> {
        let service = service_name(service)?;
        let reply = self.call(read_call(&service)).await?;
        read_instances(&service, reply)
    }

    /// The same from one server.
    pub(super) async fn instances_of(&self, server: &ServerUrl, service: &ServiceName) -> Result<Instances, Error> {
        let reply = self.send(server, &read_call(service)).await.map_err(|failure| Error::Away(vec![failure]))?;
        read_instances(service, reply)
    }
}

pub(super) fn service_name(name: &str) -> Result<ServiceName, Error> {
    ServiceName::parse(name).map_err(|reason| Error::Service { name: name.to_owned(), reason })
}

fn read_call(service: &ServiceName) -> Call {
    Call::new(service.as_str(), Method::GET, Target::v1(&["services", service.as_str()]))
}

fn read_instances(service: &ServiceName, reply: Reply) -> Result<Instances, Error> {
    if reply.status == StatusCode::NOT_FOUND && Problem::read(reply.status, &reply.body).detail.is_some() {
        return Ok(Instances::new(service.clone(), 0, Vec::new()));
    }
    let unreadable = || Error::Unreadable { subject: service.to_string() };
    let document = json(service.as_str(), reply)?;
    let list = document["instances"].as_array().ok_or_else(unreadable)?;
    let list = list.iter().filter_map(Instance::from_json).map(Arc::new).collect();
    Ok(Instances::new(service.clone(), document["revision"].as_u64().ok_or_else(unreadable)?, list))
}

/// The body of a reply that is no refusal; null when it has none.
pub(super) fn json(subject: &str, reply: Reply) -> Result<Value, Error> {
    if !reply.status.is_success() {
        return Err(Error::Refused { subject: subject.to_owned(), problem: Problem::read(reply.status, &reply.body) });
    }
    if reply.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&reply.body).map_err(|_| Error::Unreadable { subject: subject.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_answers_is_first_and_the_others_follow() {
        let client = Client::new(["http://a", "http://b", "http://c"]).unwrap();
        let turns = |client: &Client| client.in_turn().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(turns(&client), ["http://a", "http://b", "http://c"]);
        client.prefer(&"http://c".parse().unwrap());
        assert_eq!(turns(&client.clone()), ["http://c", "http://a", "http://b"]);
        client.prefer(&"http://other".parse().unwrap());
        assert_eq!(turns(&client)[0], "http://c");
    }

    #[test]
    fn lists_that_are_none_of_servers() {
        assert_eq!(Client::new([]).unwrap_err(), ServersError::None);
        let error = Client::new(["http://a", "b:80"]).unwrap_err();
        assert_eq!(error.to_string(), "b:80: the scheme is missing; write http://b:80");
    }

    #[test]
    fn replies_about_a_service() {
        let service = ServiceName::parse("web").unwrap();
        let reply = |status: u16, body: &str| Reply {
            status: StatusCode::from_u16(status).unwrap(),
            date: None,
            body: body.to_owned().into(),
        };
        let read = |status, body| read_instances(&service, reply(status, body));
        let found = read(200, r#"{"service":"web","revision":7,"instances":[{"of": "a newer server"}]}"#).unwrap();
        assert_eq!((found.revision, found.all().len()), (7, 0));
        let none = read(404, r#"{"title":"Not Found","detail":"there is no service web"}"#).unwrap();
        assert!(none.all().is_empty());
        assert!(matches!(read(404, "<html>"), Err(Error::Refused { .. })), "that is no srvd");
        assert!(matches!(read(422, "{}"), Err(Error::Refused { .. })));
        for body in ["{}", "[]", "text", "", r#"{"instances":[]}"#] {
            assert!(matches!(read(200, body), Err(Error::Unreadable { .. })), "{body}");
        }
    }
}
