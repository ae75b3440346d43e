//! What is written together.

use std::time::Duration;

use super::*;
use crate::engine::gather::BATCH;
use crate::engine::tests::{register, rules};
use crate::engine::{Clock, Loaded, StoreError};

/// A store whose commits should begin a while apart.
struct Spaced;

impl Store for Spaced {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    async fn commit(&mut self, _: crate::engine::Batch) -> Result<(), StoreError> {
        Ok(())
    }

    fn spacing(&self) -> Duration {
        Duration::from_millis(100)
    }
}

#[tokio::test]
async fn who_comes_while_many_write_is_taken_along() {
    let (engine, mut runner) = Engine::new(Spaced, rules(), Clock::start());
    for (last, together) in [(1, 1), (4, 2)] {
        let _first = engine.write_all(vec![register("a", 1)]).await.unwrap();
        let gathered = gather(&mut runner.writes).await.unwrap();
        assert_eq!(gathered.len(), 1);
        let _second = engine.write_all(vec![register("b", 1)]).await.unwrap();
        runner.pace.begins(std::time::Instant::now(), last);
        assert_eq!(runner.with_others(gathered).len(), together, "after {last} at once");
        runner.writes.try_recv().ok();
    }
}

#[tokio::test]
async fn nobody_waits_where_nobody_could_be_taken_along() {
    let (engine, mut runner) = Engine::new(Spaced, rules(), Clock::start());
    let commands = (0..BATCH).map(|number| register(&format!("i{number}"), 1)).collect();
    let _full = engine.write_all(commands).await.unwrap();
    let gathered = gather(&mut runner.writes).await.unwrap();
    let _other = engine.write_all(vec![register("b", 1)]).await.unwrap();
    runner.pace.begins(std::time::Instant::now(), 4);
    assert_eq!(runner.with_others(gathered).len(), 1);
}
