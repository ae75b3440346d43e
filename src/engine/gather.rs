//! Taking requests from their queue: those that came together are carried out together.

use tokio::sync::mpsc;

use super::Request;

/// Commands taken at once; those that came together stay together. And so many of anything are looked ahead at: what is read
/// long before it is used is forgotten by then.
pub(super) const BATCH: usize = 4096;

/// Waits for a request, and takes those along that wait behind it; `None` when there will be no more. Dropped while it
/// waits, it has taken nothing.
pub(super) async fn gather(queue: &mut mpsc::Receiver<Request>) -> Option<Vec<Request>> {
    let mut taken = vec![queue.recv().await?];
    take_along(queue, &mut taken);
    Some(taken)
}

/// Takes what waits as long as there is room for its commands.
pub(super) fn take_along(queue: &mut mpsc::Receiver<Request>, taken: &mut Vec<Request>) {
    let mut commands = commands_of(taken);
    while commands < BATCH {
        let Ok(next) = queue.try_recv() else { break };
        commands += next.commands.len();
        taken.push(next);
    }
}

/// Whether more may be taken along with these.
pub(super) fn has_room(taken: &[Request]) -> bool {
    commands_of(taken) < BATCH
}

fn commands_of(requests: &[Request]) -> usize {
    requests.iter().map(|request| request.commands.len()).sum()
}
