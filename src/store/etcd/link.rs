//! A connection to one member of etcd, and the calls on it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use parking_lot::RwLock;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

use super::messages::{AuthenticateRequest, AuthenticateResponse};

/// Octets of a message that is read at most: a page of keys, or what a watch tells at once.
const LARGEST: usize = 256 << 20;
/// The longest that a connection may take to come about, where requests may take longer.
const CONNECT: Duration = Duration::from_secs(2);

/// What is needed to connect.
pub struct Credentials {
    /// Empty: none.
    pub user: String,
    pub password: String,
    pub tls: ClientTlsConfig,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Reads what connections over TLS believe and show: PEM texts. `None`: the roots of the system, and nothing.
pub fn tls(roots: Option<Vec<u8>>, identity: Option<(Vec<u8>, Vec<u8>)>) -> ClientTlsConfig {
    let tls = match roots {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    match identity {
        Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
        None => tls,
    }
}

/// A connection that is up, for as long as it is. Clones share it.
#[derive(Debug, Clone)]
pub struct Link {
    channel: Channel,
    credentials: Arc<Credentials>,
    /// Proves who calls, where that is asked for. It runs out by itself and is asked for anew.
    token: Arc<RwLock<Option<MetadataValue<Ascii>>>>,
    timeout: Duration,
}

/// Why a call did not come to anything.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("no connection: {0}")]
    Unconnected(String),
    #[error("{} ({})", .0.message(), .0.code())]
    Failed(Box<Status>),
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::Failed(Box::new(status))
    }
}

impl CallError {
    /// Whether the token has run out, or was given before users or roles were changed. Nothing was done then.
    fn is_about_the_token(&self) -> bool {
        const OLD: &str = "revision in header is old";
        matches!(self, Self::Failed(status) if status.code() == Code::Unauthenticated || status.message().contains(OLD))
    }

    /// Whether etcd has understood, and will say the same again.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Failed(status) if matches!(
            status.code(),
            Code::InvalidArgument | Code::PermissionDenied | Code::ResourceExhausted | Code::Unimplemented
        ))
    }
}

impl Link {
    /// Connects to the member at `url`, and logs in. Each step may take `timeout`.
    pub async fn open(url: &str, credentials: Arc<Credentials>, limit: Duration) -> Result<Self, CallError> {
        let connect = || async {
            let endpoint = Endpoint::from_shared(url.to_owned())?.connect_timeout(limit.min(CONNECT)).tcp_nodelay(true);
            let endpoint = match url.starts_with("https:") {
                true => endpoint.tls_config(credentials.tls.clone())?,
                false => endpoint,
            };
            endpoint.connect().await
        };
        // TLS has no time-out of its own.
        let connected =
            timeout(limit.min(CONNECT), connect()).await.map_err(|_| CallError::TimedOut(limit.min(CONNECT)))?;
        let channel = connected.map_err(|error| CallError::Unconnected(causes(&error)))?;
        let link = Self { channel, credentials, token: Arc::default(), timeout: limit };
        link.log_in().await?;
        Ok(link)
    }

    async fn log_in(&self) -> Result<(), CallError> {
        let Credentials { user, password, .. } = &*self.credentials;
        if user.is_empty() {
            return Ok(());
        }
        let request = AuthenticateRequest { name: user.clone(), password: password.clone() };
        let AuthenticateResponse { token } = self.call_once("/etcdserverpb.Auth/Authenticate", request).await?;
        let token = token.parse().map_err(|_| Status::internal("etcd gave a token that cannot be sent"))?;
        *self.token.write() = Some(token);
        Ok(())
    }

    /// One question and one answer. Logs in again when that has become necessary.
    pub async fn call<Q, A>(&self, path: &'static str, question: Q) -> Result<A, CallError>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        match self.call_once(path, question.clone()).await {
            Err(error) if error.is_about_the_token() && !self.credentials.user.is_empty() => {
                self.log_in().await?;
                self.call_once(path, question).await
            }
            answer => answer,
        }
    }

    async fn call_once<Q, A>(&self, path: &'static str, question: Q) -> Result<A, CallError>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let call = async {
            let mut grpc = self.grpc().await?;
            let codec = ProstCodec::<Q, A>::default();
            let answer = grpc.unary(self.request(question), PathAndQuery::from_static(path), codec).await?;
            Ok(answer.into_inner())
        };
        timeout(self.timeout, call).await.map_err(|_| CallError::TimedOut(self.timeout))?
    }

    /// Questions and answers, each of them any number.
    pub async fn talk<Q, A, S>(&self, path: &'static str, questions: S) -> Result<Streaming<A>, CallError>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
        S: Stream<Item = Q> + Send + 'static,
    {
        let open = async {
            let mut grpc = self.grpc().await?;
            let mut request = self.request(questions);
            // A member that has lost its leader says so, instead of being silent.
            request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
            let answers =
                grpc.streaming(request, PathAndQuery::from_static(path), ProstCodec::<Q, A>::default()).await?;
            Ok(answers.into_inner())
        };
        timeout(self.timeout, open).await.map_err(|_| CallError::TimedOut(self.timeout))?
    }

    async fn grpc(&self) -> Result<Grpc<Channel>, CallError> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(LARGEST);
        grpc.ready().await.map_err(|error| CallError::Unconnected(causes(&error)))?;
        Ok(grpc)
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(token) = &*self.token.read() {
            request.metadata_mut().insert("token", token.clone());
        }
        request
    }
}

/// An error with its causes on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
