//! What is known and chosen: news and keys in, what to do out. No terminal, no server, no clock.

use std::collections::VecDeque;

use jiff::Timestamp;
use ratatui::crossterm::event::KeyCode;
use serde_json::Value;

use super::figures::Rates;
use crate::cli::show::{self, items, text};
use crate::cli::table::Fact;

/// Changes that are kept to be shown.
const CHANGES: usize = 200;
/// Slow checks that are kept to be shown.
const SLOWEST: usize = 50;
/// Characters of a filter: the longest name.
const FILTER: usize = 63;

/// What the threads that ask the server bring.
#[derive(Debug)]
pub(super) enum News {
    /// One look at everything.
    Look(Box<Look>),
    /// The server cannot be asked.
    Away { why: String, at: Timestamp },
    /// A line for a change.
    Change(String),
    /// What came of something that was to be done.
    Done(String),
}

/// What one look at the server showed: the replies of the API.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) status: Value,
    pub(super) services: Value,
    /// The service that is opened, with its instances; null when it is gone.
    pub(super) opened: Option<(String, Value)>,
    /// Where the checks of all services were looked at.
    pub(super) everything: Option<Value>,
    pub(super) rates: Option<Rates>,
    /// The server's clock.
    pub(super) now: Timestamp,
}

/// How things are between this and the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    Waiting,
    Up,
    Away { why: String, since: Timestamp },
}

/// What the keys go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Choosing,
    /// The filter is being typed.
    Filtering,
    /// Waiting for yes or no.
    Asking(Act),
}

/// What the view is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Quit,
    /// What is looked at has changed: look at once.
    Look,
    Drain {
        service: String,
        id: String,
    },
    Resume {
        service: String,
        id: String,
    },
}

/// What is to be looked at beside the list of services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) opened: Option<String>,
}

/// One row of a list: its name, and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) facts: Vec<Fact>,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct State {
    pub(super) server: String,
    pub(super) link: Link,
    pub(super) status: Value,
    pub(super) rates: Rates,
    services: Vec<Entry>,
    /// The service that is opened, and its instances.
    pub(super) opened: Option<(String, Vec<Entry>)>,
    /// The slowest checks, each as instance, kind, how long it took, and what it found.
    pub(super) slowest: Vec<[String; 4]>,
    /// Whether the checks are those of the opened service alone.
    pub(super) slowest_of_one: bool,
    pub(super) changes: VecDeque<String>,
    pub(super) filter: String,
    pub(super) mode: Mode,
    /// The names that are chosen in the list of services and in that of instances.
    chosen: [Option<String>; 2],
    /// What came of what was last done.
    pub(super) notice: String,
}

impl State {
    pub(super) fn new(server: String) -> Self {
        Self {
            server,
            link: Link::Waiting,
            status: Value::Null,
            rates: Rates::default(),
            services: Vec::new(),
            opened: None,
            slowest: Vec::new(),
            slowest_of_one: false,
            changes: VecDeque::new(),
            filter: String::new(),
            mode: Mode::Choosing,
            chosen: [None, None],
            notice: String::new(),
        }
    }

    /// Takes in what was brought.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Look(look) => self.look(*look),
            News::Away { why, at } => {
                let since = match self.link {
                    Link::Away { since, .. } => since,
                    Link::Waiting | Link::Up => at,
                };
                self.link = Link::Away { why, since };
                self.rates = Rates::default();
            }
            News::Change(line) => {
                self.changes.push_front(line);
                self.changes.truncate(CHANGES);
            }
            News::Done(words) => self.notice = words,
        }
    }

    fn look(&mut self, look: Look) {
        self.link = Link::Up;
        self.status = look.status;
        self.rates = look.rates.unwrap_or_default();
        let entry = |name: &Value, facts| Entry { name: text(name), facts };
        let services = items(&look.services, "services").iter();
        self.services = services.map(|service| entry(&service["service"], show::service_facts(service))).collect();
        // Another may have been opened while this was looked at.
        if let (Some((asked, reply)), Some((name, instances))) = (&look.opened, &mut self.opened)
            && asked == name
        {
            let found = items(reply, "instances").iter();
            *instances = found.map(|found| entry(&found["id"], show::row_facts(found, look.now))).collect();
        }
        let opened = look.opened.as_ref().map(|(_, reply)| items(reply, "instances").iter().collect::<Vec<_>>());
        let all = look.everything.as_ref().map(|reply| {
            let services = items(reply, "services").iter();
            services.flat_map(|service| items(service, "members")).collect::<Vec<_>>()
        });
        self.slowest_of_one = opened.is_some();
        self.slowest = slowest(opened.or(all).unwrap_or_default());
    }

    /// The list that keys move in: the instances of the opened service, else the services that the filter leaves.
    pub(super) fn listed(&self) -> Vec<&Entry> {
        match &self.opened {
            Some((_, instances)) => instances.iter().collect(),
            None => self.services.iter().filter(|service| service.name.contains(&self.filter)).collect(),
        }
    }

    /// The number of services before the filter.
    pub(super) fn services(&self) -> usize {
        self.services.len()
    }

    /// Where in the list the chosen row is; the first when the chosen one is gone.
    pub(super) fn chosen(&self) -> Option<usize> {
        let listed = self.listed();
        let chosen = self.chosen[self.depth()].as_ref();
        let at = chosen.and_then(|name| listed.iter().position(|entry| entry.name == *name));
        (!listed.is_empty()).then(|| at.unwrap_or(0))
    }

    pub(super) fn wish(&self) -> Wish {
        Wish { opened: self.opened.as_ref().map(|(name, _)| name.clone()) }
    }

    fn depth(&self) -> usize {
        usize::from(self.opened.is_some())
    }

    /// Takes in a key.
    pub(super) fn press(&mut self, key: KeyCode) -> Option<Act> {
        match std::mem::replace(&mut self.mode, Mode::Choosing) {
            Mode::Choosing => self.choose(key),
            Mode::Filtering => {
                self.type_filter(key);
                None
            }
            Mode::Asking(act) => match key {
                KeyCode::Char('y' | 'Y') => Some(act),
                _ => {
                    self.notice = "nothing was done".to_owned();
                    None
                }
            },
        }
    }

    fn choose(&mut self, key: KeyCode) -> Option<Act> {
        self.notice.clear();
        match key {
            KeyCode::Char('q') => return Some(Act::Quit),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown => self.step(10),
            KeyCode::PageUp => self.step(-10),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Char('/') if self.opened.is_none() => self.mode = Mode::Filtering,
            KeyCode::Enter if self.opened.is_none() => return self.open(),
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left if self.opened.is_some() => {
                self.opened = None;
                return Some(Act::Look);
            }
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('d') => self.ask(|service, id| Act::Drain { service, id }),
            KeyCode::Char('r') => self.ask(|service, id| Act::Resume { service, id }),
            _ => {}
        }
        None
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => return,
            KeyCode::Esc => {
                self.filter.clear();
                return;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            // Names have lower case.
            KeyCode::Char(typed) if self.filter.len() < FILTER && !typed.is_control() => {
                self.filter.extend(typed.to_lowercase());
            }
            _ => {}
        }
        self.mode = Mode::Filtering;
    }

    fn step(&mut self, by: isize) {
        let Some(at) = self.chosen() else { return };
        let listed = self.listed();
        let next = at.saturating_add_signed(by).min(listed.len() - 1);
        let name = listed[next].name.clone();
        self.chosen[self.depth()] = Some(name);
    }

    fn chosen_name(&self) -> Option<String> {
        Some(self.listed().get(self.chosen()?)?.name.clone())
    }

    fn open(&mut self) -> Option<Act> {
        let name = self.chosen_name()?;
        self.chosen = [Some(name.clone()), None];
        self.opened = Some((name, Vec::new()));
        Some(Act::Look)
    }

    fn ask(&mut self, act: impl Fn(String, String) -> Act) {
        match (&self.opened, self.chosen_name()) {
            (Some((service, _)), Some(id)) => self.mode = Mode::Asking(act(service.clone(), id)),
            _ => self.notice = "open a service with Enter and choose an instance first".to_owned(),
        }
    }
}

/// The checks among `instances` that took longest.
fn slowest(instances: Vec<&Value>) -> Vec<[String; 4]> {
    let mut checks: Vec<(u64, [String; 4])> = Vec::new();
    for instance in instances {
        for check in items(instance, "checks") {
            let result = &check["last_result"];
            let Some(took) = result["took_ms"].as_u64() else { continue };
            let name = format!("{}/{}", text(&instance["service"]), text(&instance["id"]));
            checks.push((took, [name, text(&check["kind"]), format!("{took} ms"), text(&result["detail"])]));
        }
    }
    checks.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    checks.truncate(SLOWEST);
    checks.into_iter().map(|(_, check)| check).collect()
}

#[cfg(test)]
pub(super) mod tests {
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
}
