//! Commits that fail: what was not durable has not happened, and what moved meanwhile is right afterwards.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_not_durable_has_not_happened() {
    let bench = bench().await;
    bench.engine.write(register("a", 1)).await.unwrap();
    bench.store.failing.store(true, Ordering::SeqCst);
    for command in [register("b", 1), register("a", 2), Command::Deregister { key: key("a") }] {
        let refused = bench.engine.write(command).await;
        assert!(matches!(&refused, Err(WriteError::NotDurable(detail)) if detail.contains("disk")), "{refused:?}");
    }
    assert_eq!((bench.status("a"), bench.status("b")), (Some(Status::Healthy), None));
    assert_eq!(bench.engine.index().instance(&key("a")).unwrap().registration.weight.0, 1);
    bench.store.failing.store(false, Ordering::SeqCst);
    bench.engine.write(register("b", 1)).await.unwrap();
    assert!(bench.engine.revision() > Revision(1002), "revisions of what failed are not given out again");
}

#[tokio::test(start_paused = true)]
async fn a_ttl_that_was_not_durable_is_taken_back() {
    for beats in [0, 1] {
        let bench = bench().await;
        bench.engine.write(with_ttl("10s")).await.unwrap();
        bench.store.failing.store(true, Ordering::SeqCst);
        bench.engine.write(with_ttl("none")).await.unwrap_err();
        bench.store.failing.store(false, Ordering::SeqCst);
        for _ in 0..beats {
            bench.says("a", None).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(bench.status("a"), Some(Status::Lapsed));
    }
}

/// A store whose commits wait for permits.
#[derive(Clone)]
struct Gated(Arc<tokio::sync::Semaphore>);

impl Store for Gated {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    async fn commit(&mut self, _: Batch) -> Result<(), StoreError> {
        self.0.acquire().await.unwrap().forget();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_during_a_commit_renews_with_the_new_ttl() {
    let gate = Arc::new(tokio::sync::Semaphore::new(1));
    let (engine, mut runner) = Engine::new(Gated(Arc::clone(&gate)), rules(), Clock::start());
    runner.load().await.unwrap();
    tokio::spawn(runner.run(std::future::pending()));
    engine.write(with_ttl("none")).await.unwrap();
    let writer = engine.clone();
    let replace = tokio::spawn(async move { writer.write(with_ttl("10s")).await });
    let pulse = Arc::clone(&engine.index().instance(&key("a")).unwrap().pulse);
    while pulse.deadline().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(!replace.is_finished(), "the commit waits");
    engine.heartbeat(key("a"), Heartbeat::default()).await.unwrap();
    gate.add_permits(100);
    replace.await.unwrap().unwrap();
    let mut events = engine.subscribe();
    assert_eq!(Bench::next(&mut events).await.after.as_ref().map(|after| after.status()), Some(Status::Lapsed));
    assert_eq!(engine.clock().tick().0, 10_000);
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_commit_left_on_the_disk_is_put_right() {
    let bench = bench().await;
    bench.engine.write(with_ttl("none")).await.unwrap();
    bench.store.failing.store(true, Ordering::SeqCst);
    bench.engine.write(Command::Deregister { key: key("a") }).await.unwrap_err();
    bench.store.failing.store(false, Ordering::SeqCst);
    bench.engine.write(register("b", 1)).await.unwrap();
    let batches = bench.store.batches.lock();
    let last = &batches.last().unwrap().writes;
    assert!(
        last.iter().any(|write| matches!(write, Write::Put(Record::Instance(instance)) if instance.key == key("a"))),
        "{last:?}"
    );
}
