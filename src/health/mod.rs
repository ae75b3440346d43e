//! placeholder while in the making
use crate::engine::Engine;
#[derive(Default)]
pub struct Settings;
pub async fn run(_e: Engine, _s: Settings, stop: impl Future<Output = ()>) {
    stop.await
}
