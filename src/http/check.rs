//! The call that has the checks of an instance run now.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::body::JsonBody;
use super::params::{Params, Segments};
use super::problem::Problem;
use super::{Api, instances, render};
use crate::engine::{CheckError, Checked};
use crate::model::json::Members;

/// `POST /v1/services/{service}/instances/{id}/check`
pub async fn check(
    State(api): State<Api>,
    Segments(path): Segments<(String, String)>,
    params: Params,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Json<Value>, Problem> {
    let key = instances::key(&path)?;
    params.finish()?;
    if let Some(body) = body {
        Members::of(&body, &[], &["service", "id"])?;
    }
    let checked = api.checks.run(key).await?;
    // Like every change, what was found is in DNS when the reply is sent.
    api.engine.settled().await;
    let now = api.engine.clock().now();
    let shown = |checked: &Checked| {
        let mut object = match checked.check.to_json() {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        object.append(&mut render::result(&checked.result));
        object.insert("verdict".into(), checked.verdict.as_str().into());
        object.insert("next_check".into(), render::time(now.wall_at(checked.result.next)));
        Value::Object(object)
    };
    Ok(Json(json!({ "results": checked.iter().map(shown).collect::<Vec<_>>() })))
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        let status = match error {
            CheckError::Unknown(_) => StatusCode::NOT_FOUND,
            CheckError::Busy | CheckError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
