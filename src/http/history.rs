//! `GET /v1/history`: figures of the last hour; and the task that takes the samples.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::params::Params;
use super::problem::Problem;
use super::{Api, render};
use crate::model::Status;
use crate::telemetry::history::{Figure, INTERVAL, Sample};
use crate::telemetry::metrics::Source;

/// `GET /v1/history`
pub async fn history(State(api): State<Api>, params: Params) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let mut samples = api.history.samples();
    // What is now belongs to the last hour too.
    samples.push(now(&api));
    let samples: Vec<Value> = samples.iter().map(shown).collect();
    Ok(Json(json!({"interval_s": INTERVAL.as_secs(), "samples": samples})))
}

/// Takes samples until the server stops.
pub async fn sample(api: Api) {
    let mut turns = interval(INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let take = async {
        loop {
            turns.tick().await;
            api.history.keep(now(&api));
        }
    };
    api.stopping.run_until_cancelled(take).await;
}

/// The figures as they are.
fn now(api: &Api) -> Sample {
    let mut sample = Sample::at(api.engine.clock().now().wall);
    api.engine.metrics().measure(&mut sample);
    api.sources.iter().for_each(|source| source.measure(&mut sample));
    let index = api.engine.index();
    sample.add(Figure::Services, index.services() as u64);
    for status in Status::ALL {
        let figure = match status {
            Status::Healthy => Figure::Healthy,
            Status::Unhealthy | Status::Lapsed | Status::Starting => Figure::Unhealthy,
            Status::Draining | Status::Maintenance => Figure::Withdrawn,
        };
        sample.add(figure, index.count(status) as u64);
    }
    sample
}

fn shown(sample: &Sample) -> Value {
    let at = ("at".to_owned(), render::time(sample.at));
    let figures = sample.figures().map(|(name, figure)| (name.to_owned(), figure.into()));
    Value::Object(std::iter::once(at).chain(figures).collect::<Map<_, _>>())
}
