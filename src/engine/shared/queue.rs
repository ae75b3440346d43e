//! Commands that wait, and the requests that they came with.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tokio::sync::oneshot;

use super::unit::{COMMANDS, Subject, Waiting};
use crate::engine::{Request, Results, WriteError};
use crate::registry::{Command, Done};

/// Commands that are held at one time: those that wait and those that are on their way. Beyond that, senders wait.
const HELD: usize = 8192;
/// Commands that one round takes.
const ROUND: usize = 4096;

/// The queue of commands, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    /// The numbers of all commands that are not answered yet.
    open: BTreeSet<u64>,
    requests: HashMap<u64, Open>,
    /// Requests for nothing: answered once every command before them is.
    barriers: BTreeMap<u64, oneshot::Sender<Results>>,
    numbers: u64,
}

/// A request of which not every command is answered.
#[derive(Debug)]
struct Open {
    reply: Option<oneshot::Sender<Results>>,
    results: Vec<Option<Result<Done, WriteError>>>,
    left: usize,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn has_room(&self) -> bool {
        self.open.len() < HELD
    }

    /// Takes in a request.
    pub fn enter(&mut self, request: Request) {
        let Request { commands, reply, since, cause } = request;
        let id = self.numbers + 1;
        if commands.is_empty() {
            self.barriers.extend(reply.map(|reply| (self.numbers, reply)));
            return self.pass_barriers();
        }
        let results = std::iter::repeat_with(|| None).take(commands.len()).collect();
        self.requests.insert(id, Open { reply, results, left: commands.len() });
        for (place, command) in commands.into_iter().enumerate() {
            self.numbers += 1;
            self.open.insert(self.numbers);
            let (number, cause) = (self.numbers, cause.clone());
            self.waiting.push_back(Waiting { number, request: id, place, command, since, cause, conflicts: 0 });
        }
    }

    /// Puts back what has to be tried again, in front of everything else.
    pub fn put_back(&mut self, mut commands: Vec<Waiting>) {
        commands.sort_unstable_by_key(|waiting| waiting.number);
        commands.into_iter().rev().for_each(|waiting| self.waiting.push_front(waiting));
    }

    /// Takes the commands of a round, by what they are about; none of a subject that is `busy`. Those of one subject
    /// that are too many stay, and keep their place.
    pub fn round(&mut self, busy: impl Fn(&Subject) -> bool) -> Vec<Vec<Waiting>> {
        let (mut subjects, mut units) = (HashMap::<Subject, usize>::new(), Vec::<Vec<Waiting>>::new());
        let mut left = VecDeque::with_capacity(self.waiting.len());
        let mut taken = 0;
        for waiting in self.waiting.drain(..) {
            let subject = Subject::of(&waiting.command);
            if taken == ROUND || busy(&subject) {
                left.push_back(waiting);
                continue;
            }
            let at = *subjects.entry(subject).or_insert_with(|| {
                units.push(Vec::new());
                units.len() - 1
            });
            if units[at].len() == COMMANDS {
                left.push_back(waiting);
                continue;
            }
            units[at].push(waiting);
            taken += 1;
        }
        self.waiting = left;
        units
    }

    /// Answers one command.
    pub fn answer(&mut self, waiting: &Waiting, result: Result<Done, WriteError>) {
        self.open.remove(&waiting.number);
        if let Some(open) = self.requests.get_mut(&waiting.request) {
            if let Some(slot) = open.results.get_mut(waiting.place) {
                *slot = Some(result);
            }
            open.left -= 1;
            if open.left == 0
                && let Some(Open { reply: Some(reply), results, .. }) = self.requests.remove(&waiting.request)
            {
                // Nobody may wait any more.
                reply.send(results.into_iter().flatten().collect()).ok();
            }
        }
        self.pass_barriers();
    }

    /// Answers everything that waits for its turn.
    pub fn fail_waiting(&mut self, error: &WriteError) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.answer(&waiting, Err(error.clone()));
        }
    }

    /// Takes out the commands that are about the server itself.
    pub fn about_the_server(&mut self) -> Vec<Waiting> {
        let is_own = |waiting: &Waiting| matches!(waiting.command, Command::Reconfigure { .. });
        if !self.waiting.iter().any(is_own) {
            return Vec::new();
        }
        let (own, others) = std::mem::take(&mut self.waiting).into_iter().partition(is_own);
        self.waiting = others;
        Vec::from_iter::<VecDeque<Waiting>>(own)
    }

    fn pass_barriers(&mut self) {
        let first_open = self.open.first().copied().unwrap_or(u64::MAX);
        while let Some(barrier) = self.barriers.first_entry().filter(|barrier| *barrier.key() < first_open) {
            barrier.remove().send(Results::new()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;
    use tokio::time::Instant;

    use super::*;
    use crate::model::ServiceName;
    use crate::telemetry::traces::Cause;

    fn set(service: &str) -> Command {
        Command::Set { service: ServiceName::parse(service).unwrap(), settings: None }
    }

    fn request(commands: Vec<Command>) -> (Request, oneshot::Receiver<Results>) {
        let (reply, results) = oneshot::channel();
        let commands = SmallVec::from_vec(commands);
        (Request { commands, reply: Some(reply), since: Instant::now(), cause: Cause::default() }, results)
    }

    fn numbers(round: &[Vec<Waiting>]) -> Vec<Vec<u64>> {
        round.iter().map(|unit| unit.iter().map(|waiting| waiting.number).collect()).collect()
    }

    #[test]
    fn a_round_takes_commands_by_what_they_are_about() {
        let mut queue = Queue::default();
        queue.enter(request(vec![set("a"), set("b"), set("a"), set("c")]).0);
        let busy = Subject::Service(ServiceName::parse("b").unwrap());
        let round = queue.round(|subject| *subject == busy);
        assert_eq!(numbers(&round), [vec![1, 3], vec![4]]);
        queue.put_back(round.into_iter().flatten().collect());
        assert_eq!(numbers(&queue.round(|_| false)), [vec![1, 3], vec![4], vec![2]]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_is_too_much_for_one_unit_keeps_its_place() {
        let mut queue = Queue::default();
        queue.enter(request(vec![set("a"); COMMANDS + 1]).0);
        queue.enter(request(vec![set("a"), set("b")]).0);
        let round = queue.round(|_| false);
        assert_eq!(round.iter().map(Vec::len).collect::<Vec<_>>(), [COMMANDS, 1]);
        let left = COMMANDS as u64 + 1;
        assert_eq!(numbers(&queue.round(|_| false)), [vec![left, left + 1]]);
    }

    #[test]
    fn a_request_is_answered_when_all_of_it_is_in_its_order() {
        let mut queue = Queue::default();
        let (first, mut reply) = request(vec![set("a"), set("b")]);
        queue.enter(first);
        let (nothing, mut passed) = request(Vec::new());
        queue.enter(nothing);
        let round: Vec<Waiting> = queue.round(|_| false).into_iter().flatten().collect();
        queue.answer(&round[1], Ok(Done::Noted));
        assert!(reply.try_recv().is_err() && passed.try_recv().is_err());
        queue.answer(&round[0], Err(WriteError::Stopping));
        let results = reply.try_recv().unwrap();
        assert!(matches!(&results[..], [Err(WriteError::Stopping), Ok(Done::Noted)]), "{results:?}");
        assert!(passed.try_recv().is_ok_and(|results| results.is_empty()), "nothing is left before it");
        let (nothing, mut passed) = request(Vec::new());
        queue.enter(nothing);
        assert!(passed.try_recv().is_ok(), "there is nothing to wait for");
    }

    #[test]
    fn what_waits_can_be_refused_at_once() {
        let mut queue = Queue::default();
        let (request, mut reply) = request(vec![set("a"); 3]);
        queue.enter(request);
        queue.fail_waiting(&WriteError::Stopping);
        assert!(queue.is_empty() && reply.try_recv().is_ok_and(|results| results.iter().all(Result::is_err)));
    }
}
