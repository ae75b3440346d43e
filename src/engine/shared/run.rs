//! The task of an engine that follows a shared store: takes news in, sends what has gathered to the store, answers.

use tokio::sync::mpsc;

use super::port::{News, SharedStore, Writer};
use super::rounds::Rounds;
use crate::engine::expiries::TOLD;
use crate::engine::gather::gather;
use crate::engine::run::at;
use crate::engine::{Engine, Queues, Standstill, StoreError, Work};
use crate::registry::Rules;

/// The owner of the registry on one of several servers.
#[derive(Debug)]
pub struct Runner<S: SharedStore> {
    store: Option<S>,
    open: Option<Opened<S::Writer>>,
    rounds: Rounds,
    queues: Queues,
}

/// Both ends of a store that is in use.
#[derive(Debug)]
struct Opened<W> {
    writer: W,
    news: mpsc::Receiver<News>,
}

impl<S: SharedStore> Runner<S> {
    pub(in crate::engine) fn new(engine: &Engine, store: S, rules: Rules, queues: Queues) -> Self {
        let rounds = Rounds::new(engine, store.id(), rules);
        Self { store: Some(store), open: None, rounds, queues }
    }
}

impl<S: SharedStore> Work for Runner<S> {
    /// Waits until the store has told everything there is and can be written, however long it takes.
    async fn load(&mut self) -> Result<(), StoreError> {
        let Some(store) = self.store.take() else { return Ok(()) };
        let (writer, mut news) = store.open(self.rounds.following.duty());
        while let Some(told) = news.recv().await {
            match told {
                News::Everything(snapshot) => self.rounds.following.take_everything(snapshot),
                News::Changes { revision, put, removed } => self.rounds.following.take_changes(revision, put, removed),
                News::Back => {
                    self.rounds.following.back();
                    break;
                }
                News::Unreadable(error) => return Err(error),
                News::Away { why } => {
                    tracing::warn!(why, "the shared store cannot be reached; it is tried again and again");
                }
                // Nothing is kept here yet.
                News::CutOff => {}
            }
        }
        self.open = Some(Opened { writer, news });
        Ok(())
    }

    fn heed(&mut self, standstill: Standstill) {
        self.rounds.standstill = Some(standstill);
    }

    async fn run(self, stop: impl Future<Output = ()>) {
        let Self { open, mut rounds, queues, .. } = self;
        let Queues { mut writes, mut notes, mut questions } = queues;
        let Some(Opened { writer, mut news }) = open else { return };
        tokio::pin!(stop);
        loop {
            rounds.begin_round(&writer);
            let (has_room, due) = (rounds.queue.has_room(), rounds.next_turn());
            tokio::select! {
                () = &mut stop => break,
                told = news.recv() => match told {
                    Some(told) => rounds.hear(told),
                    None => break,
                },
                Some(flight) = rounds.flights.join_next() => if let Ok(landed) = flight { rounds.land(landed) },
                requests = gather(&mut notes), if has_room => match requests {
                    Some(requests) => rounds.enter(requests, &writer),
                    None => break,
                },
                requests = gather(&mut writes), if has_room => match requests {
                    Some(requests) => rounds.enter(requests, &writer),
                    None => break,
                },
                () = at(due) => rounds.tick(),
                Some(asked) = questions.recv() => drop(asked.send(rounds.following.next_expiries(TOLD))),
            }
        }
        // Whoever still waits is told by the end of the queues.
        writer.leave().await;
    }
}
