//! What each key and each piece of news does.

use serde_json::json;

use super::*;

/// A server with two services, of which `web` can be opened.
pub(in crate::cli::top) fn look(opened: Option<&str>) -> News {
    let check =
        |took: u64| json!({"kind": "http", "last_result": {"took_ms": took, "detail": "200 OK", "passing": true}});
    let instance = |id: &str, took: u64| json!({"service": "web", "id": id, "status": "healthy", "address": "10.0.0.7", "port": 80, "checks": [check(took)]});
    let members = json!([instance("a", 7), instance("b", 90)]);
    let services = json!({"services": [
        {"service": "db", "health": "down", "instances": {"total": 1, "healthy": 0, "lapsed": 1}, "tags": []},
        {"service": "web", "health": "healthy", "instances": {"total": 2, "healthy": 2}, "tags": [], "members": members},
    ]});
    let now = "2026-07-01T10:00:00Z".parse().unwrap();
    let rates = Rates { total: 30.0, by_type: vec![("A".into(), 30.0)], by_rcode: vec![("NOERROR".into(), 30.0)] };
    News::Look(Box::new(Look {
        status: json!({"zone": "svc.local.", "ready": true, "revision": 9, "uptime_s": 61, "services": 2,
            "instances": {"total": 3, "healthy": 2, "lapsed": 1}, "watchers": 1, "checks": {"total": 2, "late_ms": 0}}),
        services: services.clone(),
        opened: opened.map(|name| (name.to_owned(), json!({"instances": members}))),
        everything: Some(services),
        rates: Some(rates),
        now,
    }))
}

fn state() -> State {
    let mut state = State::new("http://s".to_owned());
    state.hear(look(None));
    state
}

fn press(state: &mut State, keys: &str) -> Vec<Act> {
    let code = |word: &str| match word {
        "down" => KeyCode::Down,
        "up" => KeyCode::Up,
        "end" => KeyCode::End,
        "home" => KeyCode::Home,
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "back" => KeyCode::Backspace,
        letter => KeyCode::Char(letter.chars().next().unwrap()),
    };
    keys.split(' ').filter_map(|word| state.press(code(word))).collect()
}

fn names(state: &State) -> Vec<&str> {
    state.listed().into_iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn choosing() {
    for (keys, at) in
        [("x", 0), ("down", 1), ("down down down", 1), ("down up up", 0), ("end", 1), ("end home", 0), ("j j k", 0)]
    {
        let mut state = state();
        assert_eq!((press(&mut state, keys), state.chosen()), (vec![], Some(at)), "{keys}");
    }
    let mut empty = State::new(String::new());
    assert!(press(&mut empty, "down enter d").is_empty() && empty.chosen().is_none() && empty.opened.is_none());
}

#[test]
fn what_is_chosen_stays_chosen_when_rows_come_and_go() {
    let mut state = state();
    press(&mut state, "down");
    state.services.insert(0, Entry { name: "aaa".to_owned(), facts: vec![] });
    assert_eq!(state.chosen(), Some(2));
    state.services.clear();
    assert_eq!(state.chosen(), None);
}

#[test]
fn filtering() {
    for (keys, filter, left, mode) in [
        ("/ w", "w", &["web"][..], Mode::Filtering),
        ("/ W q enter", "wq", &[], Mode::Choosing),
        ("/ b", "b", &["db", "web"], Mode::Filtering),
        ("/ d b back back e", "e", &["web"], Mode::Filtering),
        ("/ d esc", "", &["db", "web"], Mode::Choosing),
        ("/ d enter esc", "", &["db", "web"], Mode::Choosing),
    ] {
        let mut state = state();
        assert!(press(&mut state, keys).is_empty(), "{keys}");
        assert_eq!((state.filter.as_str(), names(&state), &state.mode), (filter, left.to_vec(), &mode), "{keys}");
    }
}

#[test]
fn a_service_is_opened_and_left() {
    let mut state = state();
    assert_eq!(press(&mut state, "down enter"), [Act::Look]);
    assert_eq!((state.wish().opened.as_deref(), names(&state)), (Some("web"), vec![]));
    state.hear(look(Some("db")));
    assert!(names(&state).is_empty(), "what was asked before is not what is opened");
    state.hear(look(Some("web")));
    assert_eq!((names(&state), state.slowest_of_one), (vec!["a", "b"], true));
    assert_eq!(press(&mut state, "esc"), [Act::Look]);
    assert_eq!((state.wish(), state.chosen()), (Wish::default(), Some(1)));
}

#[test]
fn nothing_is_drained_without_a_yes() {
    let drain = Act::Drain { service: "web".to_owned(), id: "b".to_owned() };
    let resume = Act::Resume { service: "web".to_owned(), id: "b".to_owned() };
    for (keys, acts) in [
        ("down d y", vec![drain.clone()]),
        ("down d Y", vec![drain]),
        ("down r y", vec![resume]),
        ("down d n", vec![]),
        ("down d enter", vec![]),
        ("down d q", vec![]),
        ("down d d", vec![]),
    ] {
        let mut state = state();
        press(&mut state, "down enter");
        state.hear(look(Some("web")));
        assert_eq!((press(&mut state, keys), &state.mode), (acts, &Mode::Choosing), "{keys}");
    }
    let mut state = state();
    assert!(press(&mut state, "d").is_empty() && state.notice.contains("Enter"), "{}", state.notice);
}

#[test]
fn a_server_that_goes_and_comes_back() {
    let mut state = state();
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    for second in [5, 6] {
        state.hear(News::Away { why: "gone".to_owned(), at: at(second) });
    }
    assert_eq!(state.link, Link::Away { why: "gone".to_owned(), since: at(5) });
    assert_eq!((names(&state), state.rates.total), (vec!["db", "web"], 0.0));
    state.hear(look(None));
    assert_eq!((&state.link, state.rates.total), (&Link::Up, 30.0));
}

#[test]
fn the_slowest_checks_come_first() {
    let state = state();
    let shown: Vec<_> = state.slowest.iter().map(|check| check.join(" ")).collect();
    assert_eq!(shown, ["web/b http 90 ms 200 OK", "web/a http 7 ms 200 OK"]);
    assert!(!state.slowest_of_one);
}

#[test]
fn changes_are_bounded_and_newest_first() {
    let mut state = state();
    (0..=CHANGES).for_each(|number| state.hear(News::Change(number.to_string())));
    assert_eq!((state.changes.len(), state.changes[0].as_str()), (CHANGES, "200"));
}

#[test]
fn quitting() {
    assert_eq!(press(&mut state(), "q"), [Act::Quit]);
    assert!(press(&mut state(), "/ q").is_empty(), "a letter of the filter");
}
