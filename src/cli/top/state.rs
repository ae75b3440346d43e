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
        self.slowest_of_one = opened.is_some();
        let slowest = match opened {
            Some(instances) => slowest(instances.into_iter()),
            None => look.everything.as_ref().map(slowest_of_all).unwrap_or_default(),
        };
        let shown = |slow: Slow| [slow.instance, slow.kind, format!("{} ms", slow.took_ms), slow.detail];
        self.slowest = slowest.into_iter().map(shown).collect();
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

/// A check that took long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slow {
    pub(super) instance: String,
    pub(super) kind: String,
    pub(super) took_ms: u64,
    pub(super) detail: String,
}

/// The checks that took longest, among those of all services in a list with instances.
pub(super) fn slowest_of_all(reply: &Value) -> Vec<Slow> {
    slowest(items(reply, "services").iter().flat_map(|service| items(service, "members")))
}

fn slowest<'a>(instances: impl Iterator<Item = &'a Value>) -> Vec<Slow> {
    let mut checks: Vec<Slow> = Vec::new();
    for instance in instances {
        for check in items(instance, "checks") {
            let result = &check["last_result"];
            let Some(took_ms) = result["took_ms"].as_u64() else { continue };
            let instance = format!("{}/{}", text(&instance["service"]), text(&instance["id"]));
            checks.push(Slow { instance, kind: text(&check["kind"]), took_ms, detail: text(&result["detail"]) });
        }
    }
    checks.sort_by(|a, b| b.took_ms.cmp(&a.took_ms).then_with(|| a.instance.cmp(&b.instance)));
    checks.truncate(SLOWEST);
    checks
}

#[cfg(test)]
pub(super) mod tests;
