//! How outcomes come about.

use super::*;
use crate::answer::explain::{Cause, Part};

const DRAW: Draw = Draw { order: 7, subset: 7, at_most: 100 };

fn explain(catalog: &Catalog, registry: &Views, question: &str) -> (String, Vec<(String, Cause, Option<f64>)>) {
    let (name, rtype) = question.split_once(' ').unwrap();
    let (name, rtype) = (Name::parse(name).unwrap(), crate::zone::record_type(rtype).unwrap());
    let explanation = catalog.explain(registry, &name, rtype, &DRAW);
    assert_eq!(explanation.resolved, catalog.resolve(registry, &name, rtype, &DRAW), "{question}");
    let shown = |part: Part| (part.instance.key.id.to_string(), part.cause, part.share);
    (explanation.subject.to_string(), explanation.parts.into_iter().map(shown).collect())
}

fn registry() -> Views {
    views(&[
        ("web", "a", json!({"address": "10.0.0.1", "tags": ["v2"], "ports": {"http": 8080}, "weight": 3})),
        ("web", "b", json!({"address": "10.0.0.2", "weight": 1})),
        ("web", "c", json!({"address": "10.0.0.3", "priority": 5})),
        ("web", "d", json!({"address": "2001:db8::1", "protocol": "udp"})),
        ("web", "e", json!({"address": "e.example.com"})),
        ("web", "f", json!({"address": "10.0.0.6", "status": "unhealthy"})),
    ])
}

#[test]
fn each_instance_has_its_cause() {
    use Cause::*;
    let (catalog, registry) = (catalog(Some("alias CNAME web\n"), &[]), registry());
    let above = Cause::Priority(crate::model::Priority::default());
    let all = "it stands for the instances of service web";
    for (question, why, causes) in [
        ("web.svc.local A", all, [Healthy, Healthy, above, Family, HostName, Status]),
        ("web.svc.local ANY", all, [Healthy, Healthy, above, Family, HostName, Status]),
        ("alias.svc.local A", all, [Healthy, Healthy, above, Family, HostName, Status]),
        ("web.svc.local AAAA", all, [Family, Family, Family, Healthy, HostName, Family]),
        ("web.svc.local SRV", all, [Healthy, Healthy, Healthy, Healthy, Healthy, Status]),
        ("web.svc.local MX", all, [Type; 6]),
        (
            "v2.web.svc.local A",
            "it stands for the instances of service web that carry the tag v2",
            [Healthy, Tag, Tag, Tag, Tag, Tag],
        ),
        (
            "_web._tcp.svc.local SRV",
            "it stands for the instances of service web that are reached over tcp",
            [Healthy, Healthy, Healthy, Protocol, Healthy, Status],
        ),
        (
            "_web._tcp.svc.local PTR",
            "it stands for the instances of service web that are reached over tcp",
            [Healthy, Healthy, Healthy, Protocol, Healthy, Status],
        ),
        (
            "_http._tcp.web.svc.local SRV",
            "it stands for the instances of service web that are reached over tcp and have a port http",
            [Healthy, Port, Port, Protocol, Port, Port],
        ),
        (
            "_http._tcp.web.svc.local A",
            "it stands for the instances of service web that are reached over tcp and have a port http",
            [Type, Port, Port, Protocol, Port, Port],
        ),
    ] {
        let (subject, parts) = explain(&catalog, &registry, question);
        assert_eq!(subject, why, "{question}");
        assert_eq!(parts.iter().map(|(_, cause, _)| *cause).collect::<Vec<_>>(), causes, "{question}");
    }
}

#[test]
fn one_instance_by_its_names() {
    let (catalog, registry) = (catalog(None, &[]), registry());
    for (question, id, cause) in [
        ("a.web.svc.local A", "a", Cause::Healthy),
        ("a.web.svc.local AAAA", "a", Cause::Family),
        ("a.web.svc.local TXT", "a", Cause::Type),
        ("e.web.svc.local A", "e", Cause::HostName),
        ("f.web.svc.local A", "f", Cause::Status),
        ("a._web._tcp.svc.local TXT", "a", Cause::Healthy),
        ("a._web._tcp.svc.local A", "a", Cause::Type),
    ] {
        let share = cause.is_in().then_some(1.0);
        let why = format!("it is the instance web/{id}");
        assert_eq!(explain(&catalog, &registry, question), (why, vec![(id.to_owned(), cause, share)]), "{question}");
    }
}

#[test]
fn shares_are_those_of_first_places() {
    let shares = |instances: &[(&str, &str, Value)], question| {
        let (_, parts) = explain(&catalog(None, &[]), &views(instances), question);
        parts.into_iter().map(|(_, _, share)| share).collect::<Vec<_>>()
    };
    let weighted = [
        ("web", "a", json!({"address": "10.0.0.1", "weight": 3})),
        ("web", "b", json!({"address": "10.0.0.2", "weight": 1})),
        ("web", "c", json!({"address": "10.0.0.3", "weight": 0})),
        ("web", "d", json!({"address": "10.0.0.4", "priority": 1})),
    ];
    assert_eq!(shares(&weighted, "web.svc.local A"), [Some(0.75), Some(0.25), Some(0.0), None]);
    assert_eq!(shares(&weighted, "web.svc.local SRV"), [Some(0.75), Some(0.25), Some(0.0), Some(0.0)]);
    // Two share an address, and nobody has a weight.
    let weightless = ["10.0.0.1", "10.0.0.1", "10.0.0.2"].map(|address| json!({"address": address, "weight": 0}));
    let [a, b, c] = weightless;
    let weightless = [("web", "a", a), ("web", "b", b), ("web", "c", c)];
    assert_eq!(shares(&weightless, "web.svc.local A"), [Some(0.25), Some(0.25), Some(0.5)]);
}

#[test]
fn more_records_than_are_drawn_leave_some_out() {
    let ids: Vec<String> = (0..120).map(|number| format!("i{number:03}")).collect();
    let body = |number: usize| json!({"address": format!("10.0.0.{number}")});
    let instances: Vec<_> = ids.iter().enumerate().map(|(at, id)| ("web", id.as_str(), body(at + 1))).collect();
    let (_, parts) = explain(&catalog(None, &[]), &views(&instances), "web.svc.local A");
    let count = |cause| parts.iter().filter(|(_, other, _)| *other == cause).count();
    assert_eq!((count(Cause::Healthy), count(Cause::Room)), (100, 20));
}

#[test]
fn names_without_instances() {
    let additions = "www A 192.0.2.1\nout CNAME x.example.com.\nsub NS ns.sub\nns.sub A 192.0.2.2\n";
    let catalog = catalog(
        Some(additions),
        &[("example.org", "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.9\n*.any A 192.0.2.3\n")],
    );
    let registry = registry();
    for (question, why) in [
        ("www.svc.local A", "it is a name of static records"),
        ("svc.local SOA", "it is a name of static records"),
        ("out.svc.local A", "it is an alias that leads out of the zone, to x.example.com."),
        ("out.svc.local CNAME", "it is a name of static records"),
        ("x.sub.svc.local A", "other servers answer for it: sub.svc.local. is delegated to them"),
        ("x.any.example.org A", "it is a name of static records"),
        ("x.example.org A", "the zone has no such name"),
        ("wbe.svc.local A", "there is no service wbe"),
        ("_wbe._tcp.svc.local SRV", "there is no service wbe"),
        ("x.web.svc.local A", "nothing of service web has the instance, tag, port or protocol that it names"),
        ("_tcp.svc.local A", "it has no records of its own, and there are names below it"),
        ("_services._dns-sd._udp.svc.local PTR", "it lists every service type of which an instance is served"),
        ("example.com A", "no zone of this server holds it"),
    ] {
        assert_eq!(explain(&catalog, &registry, question), (why.to_owned(), Vec::new()), "{question}");
    }
}
