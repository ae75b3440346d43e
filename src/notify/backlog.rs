//! What one callback has not been told yet: every change in its order, and of a long backlog the newest of each instance.
//!
//! While no more than [`KEPT`] wait, each change waits by itself. Beyond that, what waits of an instance last gives its
//! place to what is newer, so that a callback that is away for long costs no more than there are instances, and one that
//! changes all the time is told of as soon as any other.

use std::collections::{HashMap, VecDeque};

use crate::model::{InstanceId, Revision};

/// Changes that wait before newer ones take the place of older ones.
pub const KEPT: usize = 256;
/// Removals that wait at one time. Instances that are there are as many as the service has.
pub const REMOVED: usize = 1024;

/// What waits, with `T` for what there is to say of an instance.
#[derive(Debug)]
pub struct Backlog<T> {
    /// The revision that a `reset`, which comes before everything else, leads to.
    reset: Option<Revision>,
    /// Each place is for the oldest that waits of that instance by then.
    queue: VecDeque<InstanceId>,
    /// Of every instance in the queue, as often as it is there, oldest first.
    waiting: HashMap<InstanceId, VecDeque<News<T>>>,
    removed: usize,
    /// How often it started over.
    epoch: u64,
}

/// What is new of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News<T> {
    pub revision: Revision,
    /// The instance is gone.
    pub is_removed: bool,
    pub content: T,
}

/// What is to be told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<T> {
    epoch: u64,
    pub subject: Subject<T>,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject<T> {
    /// Whoever is told forgets what it knows.
    Reset(Revision),
    Instance(InstanceId, News<T>),
}

/// Too many removals wait: the backlog has to start over.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { reset: None, queue: VecDeque::new(), waiting: HashMap::new(), removed: 0, epoch: 0 }
    }
}

impl<T: Clone> Backlog<T> {
    /// Takes in something newer than all that came before.
    ///
    /// # Errors
    /// When that is more than is kept.
    pub fn take(&mut self, id: InstanceId, news: News<T>) -> Result<(), Overflow> {
        self.removed += usize::from(news.is_removed);
        let of_it = self.waiting.entry(id.clone()).or_default();
        match of_it.back_mut() {
            Some(last) if self.queue.len() >= KEPT => {
                self.removed -= usize::from(last.is_removed);
                *last = news;
            }
            _ => {
                of_it.push_back(news);
                self.queue.push_back(id);
            }
        }
        if self.removed > REMOVED { Err(Overflow) } else { Ok(()) }
    }

    /// Begins with a reset, and goes on with these.
    pub fn start_over(&mut self, revision: Revision, present: impl Iterator<Item = (InstanceId, News<T>)>) {
        *self = Self { reset: Some(revision), epoch: self.epoch + 1, ..Self::default() };
        for (id, news) in present {
            self.queue.push_back(id.clone());
            self.waiting.entry(id).or_default().push_back(news);
        }
    }

    /// What is to be told next. It stays here until it is [`Self::told`].
    pub fn next(&self) -> Option<Message<T>> {
        let subject = match self.reset {
            Some(revision) => Subject::Reset(revision),
            None => {
                let id = self.queue.front()?;
                Subject::Instance(id.clone(), self.waiting.get(id)?.front()?.clone())
            }
        };
        Some(Message { epoch: self.epoch, subject })
    }

    /// A message that came from here was delivered. What took its place meanwhile still waits, behind the others.
    pub fn told(&mut self, message: &Message<T>) {
        match &message.subject {
            _ if message.epoch != self.epoch => {}
            Subject::Reset(_) => self.reset = None,
            Subject::Instance(..) if self.waits_first(message) => self.leave_out_first(),
            Subject::Instance(..) => self.queue.rotate_left(self.queue.len().min(1)),
        }
    }

    /// A message was refused: the instance that it is about goes behind the others, unless there is something newer to tell
    /// of it, which takes its place.
    pub fn put_off(&mut self, message: &Message<T>) {
        let Subject::Instance(id, _) = &message.subject else { return };
        if message.epoch != self.epoch {
            return;
        }
        if self.waits_first(message) && self.waiting.get(id).is_some_and(|of_it| of_it.len() > 1) {
            self.leave_out_first();
        } else {
            self.queue.rotate_left(self.queue.len().min(1));
        }
    }

    /// Whether the message is still the one that is next.
    fn waits_first(&self, message: &Message<T>) -> bool {
        let Subject::Instance(id, told) = &message.subject else { return false };
        let first = self.queue.front().filter(|first| *first == id).and_then(|id| self.waiting.get(id)?.front());
        first.is_some_and(|first| first.revision == told.revision)
    }

    fn leave_out_first(&mut self) {
        let Some(id) = self.queue.pop_front() else { return };
        let Some(of_it) = self.waiting.get_mut(&id) else { return };
        let news = of_it.pop_front();
        if of_it.is_empty() {
            self.waiting.remove(&id);
        }
        self.removed -= usize::from(news.is_some_and(|news| news.is_removed));
    }

    /// How much there is to tell.
    pub fn len(&self) -> usize {
        self.queue.len() + usize::from(self.reset.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> InstanceId {
        InstanceId::parse(text).unwrap()
    }

    fn news(revision: u64, is_removed: bool) -> News<&'static str> {
        News { revision: Revision(revision), is_removed, content: "" }
    }

    fn with(changes: &[(&str, u64)]) -> Backlog<&'static str> {
        let mut backlog = Backlog::default();
        for (name, revision) in changes {
            backlog.take(id(name), news(*revision, false)).unwrap();
        }
        backlog
    }

    /// What is told when every attempt succeeds.
    fn rest(backlog: &mut Backlog<&'static str>) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        while let Some(message) = backlog.next() {
            backlog.told(&message);
            told.push(match message.subject {
                Subject::Reset(revision) => ("reset".to_owned(), revision.0),
                Subject::Instance(id, news) => (id.to_string(), news.revision.0),
            });
        }
        assert_eq!((backlog.len(), backlog.removed, backlog.waiting.len()), (0, 0, 0));
        told
    }

    fn told(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
    }

    #[test]
    fn every_change_is_told_in_its_order() {
        let changes = [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("a", 5)];
        let mut backlog = with(&changes);
        assert_eq!(backlog.len(), 5);
        assert_eq!(rest(&mut backlog), told(&changes));
    }

    #[test]
    fn of_a_long_backlog_the_newest_of_each_instance_is_told_in_its_place() {
        let mut backlog = with(&[("a", 1), ("b", 2), ("a", 3)]);
        let others: Vec<_> = (4..=KEPT as u64).map(|number| (format!("i{number}"), number)).collect();
        for (name, revision) in &others {
            backlog.take(id(name), news(*revision, false)).unwrap();
        }
        for (name, revision) in [("a", 1001), ("b", 1002), ("new", 1003), ("a", 1004)] {
            backlog.take(id(name), news(revision, false)).unwrap();
        }
        assert_eq!(backlog.len(), KEPT + 1);
        let expected =
            told(&[("a", 1), ("b", 1002), ("a", 1004)]).into_iter().chain(others).chain(told(&[("new", 1003)]));
        assert_eq!(rest(&mut backlog), expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_overtaken_while_it_is_told_is_told_anew_behind_the_others() {
        let mut backlog = with(&[("a", 1)]);
        for number in 2..=KEPT as u64 {
            backlog.take(id(&format!("i{number}")), news(number, false)).unwrap();
        }
        let message = backlog.next().unwrap();
        backlog.take(id("a"), news(1000, true)).unwrap();
        backlog.told(&message);
        assert_eq!(rest(&mut backlog).last(), told(&[("a", 1000)]).last());
    }

    #[test]
    fn what_is_refused_gives_way_to_what_is_newer() {
        let mut backlog = with(&[("a", 1), ("a", 2), ("b", 3)]);
        let message = backlog.next().unwrap();
        backlog.put_off(&message);
        assert_eq!(rest(&mut backlog), told(&[("a", 2), ("b", 3)]));
    }

    #[test]
    fn what_changes_while_it_is_told_is_told_again() {
        let mut backlog = with(&[("a", 1), ("b", 2)]);
        let message = backlog.next().unwrap();
        backlog.take(id("a"), news(3, true)).unwrap();
        backlog.told(&message);
        assert_eq!(rest(&mut backlog), told(&[("b", 2), ("a", 3)]));
    }

    #[test]
    fn what_is_refused_goes_behind_the_others_and_stays() {
        let mut backlog = with(&[("a", 1), ("b", 2), ("c", 3)]);
        let message = backlog.next().unwrap();
        backlog.put_off(&message);
        assert_eq!(rest(&mut backlog), told(&[("b", 2), ("c", 3), ("a", 1)]));
        backlog.put_off(&message);
        assert_eq!(backlog.next(), None);
    }

    #[test]
    fn a_reset_comes_first_and_forgets_what_waited() {
        let mut backlog = with(&[("gone", 1), ("a", 2)]);
        let under_way = backlog.next().unwrap();
        backlog.start_over(Revision(9), [(id("a"), news(2, false)), (id("b"), news(7, false))].into_iter());
        backlog.told(&under_way);
        backlog.put_off(&under_way);
        assert_eq!(backlog.len(), 3);
        backlog.take(id("a"), news(10, true)).unwrap();
        assert_eq!(rest(&mut backlog), told(&[("reset", 9), ("a", 2), ("b", 7), ("a", 10)]));
    }

    #[test]
    fn removed_instances_that_wait_are_bounded() {
        let mut backlog = Backlog::default();
        for number in 0..REMOVED as u64 {
            backlog.take(id(&format!("i{number}")), news(number + 1, true)).unwrap();
        }
        backlog.take(id("there"), news(5000, false)).unwrap();
        backlog.take(id("i0"), news(5001, true)).unwrap();
        assert_eq!(backlog.take(id("one-more"), news(5002, true)), Err(Overflow));
        backlog.start_over(Revision(5002), std::iter::empty());
        assert_eq!(rest(&mut backlog), told(&[("reset", 5002)]));
    }
}
