//! What clients did and saw, and the rules that it is held against.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The lease of every instance.
pub const TTL: Duration = Duration::from_secs(4);

/// What is known of an instance from the replies to its own calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Registered,
    Deregistered,
    /// The last call got no reply, or one that leaves it open.
    Open,
}

#[derive(Debug, Default)]
struct Told {
    /// When each call began and ended that was answered by "your lease is renewed".
    renewals: Vec<(Instant, Instant)>,
    known: Option<Known>,
}

/// Everything that was recorded.
#[derive(Debug)]
pub struct History {
    began: Instant,
    told: Mutex<BTreeMap<usize, Told>>,
    /// Which server was asked between when and when, and which steady instances were not in its answer.
    seen: Mutex<Vec<Seen>>,
}

type Seen = (usize, Instant, Instant, Vec<usize>);

impl Default for History {
    fn default() -> Self {
        Self { began: Instant::now(), told: Mutex::default(), seen: Mutex::default() }
    }
}

impl History {
    /// How long it has gone on.
    pub fn clock(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn renewed(&self, instance: usize, began: Instant) {
        let mut told = self.told.lock().expect("nobody panics");
        told.entry(instance).or_default().renewals.push((began, Instant::now()));
    }

    pub fn known(&self, instance: usize, known: Known) {
        self.told.lock().expect("nobody panics").entry(instance).or_default().known = Some(known);
    }

    pub fn state(&self) -> BTreeMap<usize, Known> {
        let told = self.told.lock().expect("nobody panics");
        told.iter().filter_map(|(instance, told)| Some((*instance, told.known?))).collect()
    }

    pub fn saw(&self, server: usize, began: Instant, missing: Vec<usize>) {
        self.seen.lock().expect("nobody panics").push((server, began, Instant::now(), missing));
    }

    /// The answers without an instance that was heard all the time: from one renewal to the next, and from the last one
    /// before the answer to its end, less than a ttl. Those of one server without the same instance are told together.
    pub fn broken(&self) -> Vec<String> {
        let (told, seen) = (self.told.lock().expect("nobody panics"), self.seen.lock().expect("nobody panics"));
        let mut broken = BTreeMap::<(usize, usize), Vec<(Duration, Duration)>>::new();
        for (server, began, ended, missing) in seen.iter() {
            for instance in missing {
                let renewals = &told[instance].renewals;
                // What was renewed counts from when it was asked for: the server did so no sooner.
                let before: Vec<Instant> =
                    renewals.iter().filter(|(_, done)| done < began).map(|(asked, _)| *asked).collect();
                let gaps = before.windows(2).map(|pair| pair[1] - pair[0]);
                let longest = gaps.chain(before.last().map(|last| *ended - *last)).max();
                if let Some(longest) = longest.filter(|longest| *longest < TTL) {
                    broken.entry((*server, *instance)).or_default().push((*ended - self.began, longest));
                }
            }
        }
        let tell = |((server, instance), times): (&(usize, usize), &Vec<(Duration, Duration)>)| {
            let (count, (first, heard), (last, _)) = (times.len(), times.first()?, times.last()?);
            Some(format!(
                "server {server} answered {count} times without instance {instance}, from {first:?} to {last:?}, when it had \
                 been heard every {heard:?}"
            ))
        };
        broken.iter().filter_map(tell).collect()
    }

    /// Whether any answer was seen. One of the servers may never be well for long enough to give one.
    pub fn has_seen(&self) -> bool {
        !self.seen.lock().expect("nobody panics").is_empty()
    }

    pub fn summary(&self) -> String {
        let (told, seen) = (self.told.lock().expect("nobody panics"), self.seen.lock().expect("nobody panics"));
        let renewals: usize = told.values().map(|told| told.renewals.len()).sum();
        let without = seen.iter().filter(|(.., missing)| !missing.is_empty()).count();
        format!("{renewals} renewals, {} answers, {without} of them without an instance that was unheard", seen.len())
    }
}
