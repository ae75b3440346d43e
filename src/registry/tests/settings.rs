//! Settings and subscriptions by tables.

use super::*;
use crate::model::{Settings, Subscription, SubscriptionId, limits};

fn settings(body: Value) -> Option<Arc<Settings>> {
    Some(Arc::new(Settings::from_json(&body, &rules().defaults.check).unwrap()))
}

fn set(shell: &mut Shell, settings: Option<Arc<Settings>>) -> Result<Vec<Event>, Refusal> {
    let (done, events) = shell.apply(Command::Set { service: key("web", "a").service, settings });
    done.map(|_| events)
}

fn checks(shell: &Shell, id: &str) -> Vec<(&'static str, Verdict)> {
    let instance = shell.registry.instance(&key("web", id)).unwrap();
    let verdicts = instance.condition.checks.iter();
    instance.registration.checks().iter().map(|check| check.kind.as_str()).zip(verdicts).collect()
}

#[test]
fn default_checks_act_on_instances_that_bring_none() {
    use Verdict::{Passing, Unknown};
    let mut shell = Shell::new();
    drop(shell.register("none", json!({})));
    drop(shell.register("own", json!({"checks": [{"kind": "tcp"}]})));
    drop(shell.register("empty", json!({"checks": []})));
    let events = set(&mut shell, settings(json!({"default_checks": [{"kind": "http"}]}))).unwrap();
    assert_eq!(
        events.iter().map(|event| (event.key.id.as_str(), event.change)).collect::<Vec<_>>(),
        [("none", Change::Updated)]
    );
    drop(shell.register("later", json!({})));
    for (id, found) in [("none", vec!["http"]), ("later", vec!["http"]), ("own", vec!["tcp"]), ("empty", vec![])] {
        assert_eq!(checks(&shell, id).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(), found, "{id}");
    }
    let instance = Arc::clone(shell.registry.instance(&key("web", "none")).unwrap());
    let observation = Observation {
        key: instance.key.clone(),
        life: Arc::clone(&instance.pulse),
        registration: Arc::clone(&instance.registration),
        check: instance.registration.checks()[0].clone(),
        verdict: Passing,
    };
    shell.apply(Command::Observe(observation)).0.unwrap();
    set(&mut shell, settings(json!({"default_checks": [{"kind": "tcp"}, {"kind": "http"}]}))).unwrap();
    assert_eq!(
        checks(&shell, "none"),
        [("tcp", Unknown), ("http", Passing)],
        "the verdict of a check that stays is kept"
    );
    // A reply that is written back spells the defaults out, and says nothing new.
    let spelled = json!({"checks": [{"kind": "tcp"}, {"kind": "http"}]});
    assert!(shell.register("none", spelled).1.is_empty());
    set(&mut shell, None).unwrap();
    assert_eq!(checks(&shell, "none"), []);
    assert_eq!(set(&mut shell, None).unwrap().len(), 0, "once more changes nothing");
    assert_eq!(checks(&shell, "own").len(), 1);
}

#[test]
fn default_checks_of_the_server_act_where_a_service_has_none() {
    let mut shell = Shell::new();
    drop(shell.register("none", json!({})));
    drop(shell.register("own", json!({"checks": [{"kind": "tcp"}]})));
    let mut other = rules();
    other.defaults.checks = registration(json!({"checks": [{"kind": "http"}]})).checks().to_vec();
    let reconfigure = |rules: &Rules| Command::Reconfigure { rules: Box::new(rules.clone()), answers_change: false };
    assert_eq!(shell.apply(reconfigure(&other)).1.len(), 1);
    assert_eq!(checks(&shell, "none"), [("http", Verdict::Unknown)]);
    assert_eq!(checks(&shell, "own"), [("tcp", Verdict::Unknown)]);
    set(&mut shell, settings(json!({"default_checks": []}))).unwrap();
    assert!(shell.apply(reconfigure(&rules())).1.is_empty());
    assert_eq!(checks(&shell, "none"), []);
}

#[test]
fn patches_leave_default_checks_the_defaults() {
    let mut shell = Shell::new();
    set(&mut shell, settings(json!({"default_checks": [{"kind": "tcp"}]}))).unwrap();
    drop(shell.register("a", json!({})));
    let patch = |shell: &mut Shell, patch| shell.apply(Command::Patch { key: key("web", "a"), patch, from: FROM }).0;
    patch(&mut shell, json!({"weight": 2})).unwrap();
    set(&mut shell, settings(json!({"default_checks": [{"kind": "http"}]}))).unwrap();
    assert_eq!(checks(&shell, "a"), [("http", Verdict::Unknown)]);
    patch(&mut shell, json!({"checks": [{"kind": "tcp"}]})).unwrap();
    set(&mut shell, settings(json!({"default_checks": []}))).unwrap();
    assert_eq!(checks(&shell, "a"), [("tcp", Verdict::Unknown)]);
    patch(&mut shell, json!({"checks": null})).unwrap();
    assert_eq!(checks(&shell, "a"), [], "without its own it has the defaults again");
}

#[test]
fn settings_of_a_service_that_is_not_there() {
    let mut shell = Shell::new();
    let service = key("web", "a").service;
    assert_eq!(set(&mut shell, None).unwrap_err(), Refusal::UnknownService(service.clone()));
    set(&mut shell, settings(json!({"record_ttl": 1}))).unwrap();
    assert!(shell.registry.service(&service).is_none(), "settings make no service");
    let revision = shell.registry.revision();
    set(&mut shell, settings(json!({"record_ttl": 1}))).unwrap();
    assert_eq!(shell.registry.revision(), revision);
    set(&mut shell, settings(json!({}))).unwrap();
    assert!(shell.registry.settings(&service).is_none() && shell.registry.revision() > revision);
}

#[test]
fn subscriptions_are_kept_by_their_ids() {
    let mut shell = Shell::new();
    let id = SubscriptionId::parse("a").unwrap();
    let mut subscribe = |callback: Option<&str>| {
        let read =
            |callback| Arc::new(Subscription::from_json(&json!({"service": "web", "callback": callback})).unwrap());
        let command = Command::Subscribe { id: id.clone(), subscription: callback.map(read) };
        let mut changes = Changes::default();
        let done = shell.registry.apply(command, at(0), &mut changes);
        done.map(|_| changes.records.len()).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(subscribe(None), Err("there is no subscription a".to_owned()));
    assert_eq!(subscribe(Some("http://a/")), Ok(1));
    assert_eq!(subscribe(Some("http://a/")), Ok(0));
    assert_eq!(subscribe(Some("http://b/")), Ok(1));
    assert_eq!(subscribe(None), Ok(1));
}

#[test]
fn there_are_only_so_many_subscriptions() {
    let mut shell = Shell::new();
    let mut subscribe = |number: usize, callback: Option<&str>| {
        let id = SubscriptionId::parse(&format!("s{number}")).unwrap();
        let read =
            |callback| Arc::new(Subscription::from_json(&json!({"service": "web", "callback": callback})).unwrap());
        let command = Command::Subscribe { id, subscription: callback.map(read) };
        shell.registry.apply(command, at(0), &mut Changes::default()).map(drop)
    };
    let max = limits::SUBSCRIPTIONS;
    for number in 0..max {
        subscribe(number, Some("http://a/")).unwrap();
    }
    assert_eq!(subscribe(max, Some("http://a/")), Err(Refusal::TooManySubscriptions { max }));
    subscribe(0, Some("http://b/")).expect("no more than before");
    subscribe(0, None).unwrap();
    subscribe(max, Some("http://a/")).expect("there is room again");
}

#[test]
fn stored_instances_get_the_default_checks_of_now() {
    let mut shell = Shell::new();
    let record = Record::Settings(
        key("web", "a").service,
        settings(json!({"default_checks": [{"kind": "tcp"}, {"kind": "http"}]})).unwrap(),
    );
    shell.registry.restore_record(record);
    let mut old = Arc::unwrap_or_clone(registration(json!({"checks": [{"kind": "http"}]})));
    old.brings_checks = false;
    let stored = Stored {
        key: key("web", "a"),
        registration: old,
        condition: Condition { checks: [Verdict::Failing].into_iter().collect(), ..Condition::default() },
        created_at: at(0).wall,
        changed_at: at(0).wall,
        revision: Revision(41),
    };
    shell.registry.restore(stored, at(0));
    assert_eq!(checks(&shell, "a"), [("tcp", Verdict::Unknown), ("http", Verdict::Failing)]);
}
