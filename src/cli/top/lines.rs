//! The view for programs: an object of JSON for each look, one a line.

use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::figures::Rates;
use super::poll::Poller;
use super::state::{Look, Slow, Wish, slowest_of_all};
use crate::cli::ask;
use crate::cli::connection::ServerUrl;
use crate::cli::exit::{Exit, Failure};

/// Prints looks until nobody reads any more; or only one, as soon as there is a time that rates are over.
///
/// # Errors
/// When nothing can be printed; and when one look is asked for and the server does not give it.
pub(super) fn run(server: &ServerUrl, every: Duration, is_once: bool, output: &mut dyn Write) -> Result<Exit, Failure> {
    let mut poller = Poller::of(server);
    if is_once {
        poller.look(&Wish::default())?;
        sleep(every);
        let line = line(&poller.look(&Wish::default())?, &poller.recent()?);
        return ask::print(output, line.to_string().as_bytes()).map(|_| Exit::Done).map_err(Failure::Output);
    }
    loop {
        let looked = poller.look(&Wish::default()).and_then(|look| Ok(line(&look, &poller.recent()?)));
        // The server may come back, as it may for who looks at the screen.
        let line =
            looked.unwrap_or_else(|failure| json!({"at": Timestamp::now().to_string(), "error": failure.to_string()}));
        if !ask::print(output, line.to_string().as_bytes()).map_err(Failure::Output)? {
            return Ok(Exit::Done);
        }
        sleep(every);
    }
}

/// What the screen shows, in the words of the API where it has them.
fn line(look: &Look, recent: &Value) -> Value {
    let slowest: Vec<Value> =
        look.everything.as_ref().map(slowest_of_all).unwrap_or_default().iter().map(slow).collect();
    json!({
        "at": look.now.to_string(),
        "status": look.status,
        "services": look.services["services"],
        "queries": look.rates.as_ref().map(rates),
        "slowest_checks": slowest,
        "events": recent["events"],
    })
}

fn slow(check: &Slow) -> Value {
    json!({"instance": check.instance, "kind": check.kind, "took_ms": check.took_ms, "detail": check.detail})
}

fn rates(rates: &Rates) -> Value {
    let members =
        |of: &[(String, f64)]| of.iter().map(|(name, rate)| (name.clone(), json!(rate))).collect::<Map<_, _>>();
    json!({
        "per_second": rates.total,
        "by_type": members(&rates.by_type),
        "by_rcode": members(&rates.by_rcode),
    })
}

#[cfg(test)]
mod tests {
    use super::super::state::News;
    use super::super::state::tests::look;
    use super::*;

    #[test]
    fn a_look_is_an_object() {
        let News::Look(mut shown) = look(None) else { panic!("it is a look") };
        shown.rates = Some(Rates { total: 1.5, by_type: vec![("A".into(), 1.5)], by_rcode: vec![] });
        let line = line(&shown, &json!({"events": [{"id": "a"}]}));
        assert_eq!(line["queries"], json!({"per_second": 1.5, "by_type": {"A": 1.5}, "by_rcode": {}}));
        assert_eq!((&line["at"], &line["events"][0]["id"]), (&json!(shown.now.to_string()), &json!("a")));
        assert_eq!(line["services"], shown.services["services"]);
        assert_eq!(line["slowest_checks"][0]["took_ms"], 90);
        shown.rates = None;
        assert_eq!(super::line(&shown, &Value::Null)["queries"], Value::Null, "nothing is known of one look");
    }
}
