//! What one callback has not been told yet: of each instance the newest alone.
//!
//! An instance that changes again while it waits keeps its place, so that one that changes all the time is told of as
//! soon as any other.

use std::collections::{HashMap, VecDeque};

use crate::model::{InstanceId, Revision};

/// Removed instances that wait at one time. Those that are there are as many as the service has.
pub const REMOVED: usize = 1024;

/// What waits, with `T` for what there is to say of an instance.
#[derive(Debug)]
pub struct Backlog<T> {
    /// The revision that a `reset`, which comes before everything else, leads to.
    reset: Option<Revision>,
    queue: VecDeque<InstanceId>,
    /// Of every instance in the queue.
    newest: HashMap<InstanceId, News<T>>,
    removed: usize,
    /// How often it started over.
    epoch: u64,
}

/// The newest of an instance.
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

/// Too many removed instances wait: the backlog has to start over.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { reset: None, queue: VecDeque::new(), newest: HashMap::new(), removed: 0, epoch: 0 }
    }
}

impl<T: Clone> Backlog<T> {
    /// Takes in something newer than all that came before.
    ///
    /// # Errors
    /// When that is more than is kept.
    pub fn take(&mut self, id: InstanceId, news: News<T>) -> Result<(), Overflow> {
        self.removed += usize::from(news.is_removed);
        match self.newest.insert(id.clone(), news) {
            Some(before) => self.removed -= usize::from(before.is_removed),
            None => self.queue.push_back(id),
        }
        if self.removed > REMOVED { Err(Overflow) } else { Ok(()) }
    }

    /// Begins with a reset, and goes on with these.
    pub fn start_over(&mut self, revision: Revision, present: impl Iterator<Item = (InstanceId, News<T>)>) {
        *self = Self { reset: Some(revision), epoch: self.epoch + 1, ..Self::default() };
        for (id, news) in present {
            self.queue.push_back(id.clone());
            self.newest.insert(id, news);
        }
    }

    /// What is to be told next. It stays here until it is [`Self::told`].
    pub fn next(&self) -> Option<Message<T>> {
        let subject = match self.reset {
            Some(revision) => Subject::Reset(revision),
            None => {
                let id = self.queue.front()?;
                Subject::Instance(id.clone(), self.newest.get(id)?.clone())
            }
        };
        Some(Message { epoch: self.epoch, subject })
    }

    /// A message that came from here was delivered. What is newer by now still waits, behind the others.
    pub fn told(&mut self, message: &Message<T>) {
        match &message.subject {
            _ if message.epoch != self.epoch => {}
            Subject::Reset(_) => self.reset = None,
            Subject::Instance(id, news)
                if self.newest.get(id).is_some_and(|newest| newest.revision == news.revision) =>
            {
                self.newest.remove(id);
                self.removed -= usize::from(news.is_removed);
                self.queue.pop_front();
            }
            Subject::Instance(..) => self.put_off(message),
        }
    }

    /// The instance that a message is about goes behind the others.
    pub fn put_off(&mut self, message: &Message<T>) {
        if message.epoch == self.epoch && matches!(message.subject, Subject::Instance(..)) && !self.queue.is_empty() {
            self.queue.rotate_left(1);
        }
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
        assert_eq!((backlog.len(), backlog.removed, backlog.newest.len()), (0, 0, 0));
        told
    }

    fn told(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect()
    }

    #[test]
    fn the_newest_of_each_instance_is_told_once_and_in_its_place() {
        let mut backlog = with(&[("a", 1), ("b", 2), ("a", 3), ("c", 4), ("a", 5)]);
        assert_eq!(backlog.len(), 3);
        assert_eq!(rest(&mut backlog), told(&[("a", 5), ("b", 2), ("c", 4)]));
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
        assert_eq!(rest(&mut backlog), told(&[("reset", 9), ("a", 10), ("b", 7)]));
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
