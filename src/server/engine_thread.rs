//! The thread of the engine: nothing that other threads are busy with keeps a lease from lapsing.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::engine::{StoreError, Work};

/// A running engine.
#[derive(Debug)]
pub struct EngineThread {
    stop: CancellationToken,
    loaded: Option<oneshot::Receiver<Result<(), StoreError>>>,
    /// Cancelled when the thread ends, however it does.
    ended: CancellationToken,
}

impl EngineThread {
    /// Starts the thread, which first loads the state.
    pub fn start(runner: impl Work) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let (loaded, on_loaded) = oneshot::channel();
        let ended = CancellationToken::new();
        let alive = ended.clone().drop_guard();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stopped = stop.clone();
        thread::Builder::new().name("engine".to_owned()).spawn(move || {
            runtime.block_on(work(runner, loaded, stopped));
            drop(alive);
        })?;
        Ok(Self { stop, loaded: Some(on_loaded), ended })
    }

    /// Waits until the state is loaded.
    pub async fn loaded(&mut self) -> anyhow::Result<()> {
        match self.loaded.take() {
            Some(loaded) => Ok(loaded.await??),
            None => Ok(()),
        }
    }

    /// Waits until the engine has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Has the engine write what is not written, and end.
    pub async fn stop(self) {
        self.stop.cancel();
        self.ended().await;
    }
}

async fn work(mut runner: impl Work, loaded: oneshot::Sender<Result<(), StoreError>>, stop: CancellationToken) {
    let result = runner.load().await;
    let failed = result.is_err();
    // Nobody waits any more when the server was stopped meanwhile.
    if loaded.send(result).is_ok() && !failed {
        runner.run(stop.cancelled_owned()).await;
    }
}
