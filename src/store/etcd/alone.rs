//! The store in etcd as if it had one owner, for the battery of all stores: over a real etcd of its own, which is killed
//! with it and started again on what it wrote.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{Etcd, EtcdWriter, Settings};
use crate::cluster::ServerId;
use crate::engine::Clock;
use crate::engine::shared::{Duty, Fact, News, Outcome, Place, SharedStore, State, Transaction, Write, Writer};
use crate::engine::{self, Batch, Loaded, Store, StoreError};
use crate::registry::Record;

/// An etcd, and a registry in it.
pub struct Alone {
    etcd: Child,
    url: String,
    open: Option<(EtcdWriter, mpsc::Receiver<News>)>,
}

impl Alone {
    /// Starts an etcd that keeps its files below `at`.
    pub fn at(at: &Path) -> Self {
        let port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (url, peer) = (format!("http://127.0.0.1:{}", port()), format!("http://127.0.0.1:{}", port()));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(at.join("etcd")).args(["--initial-cluster", &format!("default={peer}")]);
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        let etcd = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let etcd = etcd.unwrap_or_else(|error| panic!("etcd: {error}; `apt-get install etcd-server`"));
        Self { etcd, url, open: None }
    }

    async fn open(&mut self) -> Result<Loaded, StoreError> {
        let settings = Settings {
            endpoints: vec![self.url.clone()],
            prefix: "/battery".to_owned(),
            user: String::new(),
            password: String::new(),
            timeout: Duration::from_secs(10),
            roots: None,
            identity: None,
        };
        let (writer, mut news) =
            Etcd::new(settings, ServerId(rand::random()), Handle::current()).open(Duty::of_nobody(Clock::start()));
        let mut loaded = Loaded::default();
        loop {
            match news.recv().await.expect("the session goes on") {
                News::Everything(snapshot) => {
                    loaded.revision = snapshot.revision;
                    for found in snapshot.found {
                        match found.fact {
                            Fact::Instance { stored, .. } => loaded.instances.push(*stored),
                            Fact::Record(record) => loaded.records.push(record),
                            Fact::There(_) => {}
                        }
                    }
                }
                News::Unreadable(error) => return Err(error),
                News::Back => break,
                _ => {}
            }
        }
        self.open = Some((writer, news));
        Ok(loaded)
    }
}

impl Store for Alone {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        self.open().await
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        if self.open.is_none() {
            self.open().await?;
        }
        let Some((writer, _)) = &self.open else { unreachable!("it was opened") };
        let write = |write: engine::Write| match write {
            engine::Write::Put(record) => {
                let since = match &record {
                    Record::Instance(instance) => Some(instance.revision),
                    _ => None,
                };
                let place = Place::Record(record.name());
                (place, Write::Put(writer.encode(&State { record, owner: None, since })))
            }
            engine::Write::Remove(name) => (Place::Record(name), Write::Remove),
        };
        let writes: Vec<_> = batch.writes.into_iter().map(write).collect();
        // What the engine writes together is far less; etcd takes so many operations at once by default.
        for part in writes.chunks(128) {
            let outcome = writer.commit(Transaction { requires: Vec::new(), writes: part.to_vec() }).await?;
            assert!(matches!(outcome, Outcome::Committed(_)), "nothing was required");
        }
        Ok(())
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.etcd.kill().ok();
        self.etcd.wait().ok();
    }
}
