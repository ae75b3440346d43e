//! The program and its registration side by side, from the start of the one to the end of both.

use std::ffi::OsString;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Method;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::Plan;
use super::ready::Readiness;
use super::signals::{self, Caught, Phase};
use super::tell::{Event, Teller};
use crate::client::http::Call;
use crate::client::target::Target;
use crate::client::{Client, Error, LeaseState, Leave, Registered, Registration, ServerUrl};

/// The longest that deregistering may keep the exit of a program that has ended.
const FAREWELL: Duration = Duration::from_secs(3);
/// What the servers may take beside the time that caches get.
const SLACK: Duration = Duration::from_secs(2);
/// Between two attempts to register: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
const LATE: &str = "not deregistered in time, so the lease has to run out";
/// What shells say of a program that is not there, or that is none (POSIX, Exit Status for Commands).
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Runs the program of `plan` to its end, and gives the exit code to end with.
pub(super) fn run(plan: Plan) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(live(plan));
            // A look-up that hangs cannot be cancelled; it must not hold up the exit.
            runtime.shutdown_background();
            code.into()
        }
        Err(error) => {
            plan.teller.tell(Event::Failed, &format!("the asynchronous runtime did not start: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn live(plan: Plan) -> u8 {
    // Before the program is there: a signal that comes then ends this and nothing else.
    let mut caught = match signals::catch() {
        Ok(caught) => caught,
        Err(error) => {
            plan.teller.tell(Event::Failed, &format!("signals cannot be caught: {error}"));
            return 1;
        }
    };
    let mut child = match start(&plan.command) {
        Ok(child) => child,
        Err(error) => {
            let program = plan.command[0].to_string_lossy();
            plan.teller.tell(Event::Failed, &format!("cannot run {program}: {error}"));
            return if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
        }
    };
    let teller = plan.teller.clone();
    let mut member = Member::join(plan);
    let status = loop {
        tokio::select! {
            biased;
            status = child.wait() => break status,
            Some(caught) = caught.recv() => {
                if let Some(signal) = member.take(caught) {
                    pass(&child, signal, &teller);
                }
            }
            pending = member.go_on() => {
                if let Some(signal) = pending {
                    pass(&child, signal, &teller);
                }
            }
        }
    };
    member.farewell().await;
    status.map_or(1, exit_code)
}

/// Starts the program, with the streams of this process.
fn start(command: &[OsString]) -> io::Result<Child> {
    Command::new(&command[0]).args(&command[1..]).spawn()
}

fn pass(child: &Child, signal: i32, teller: &Teller) {
    // A program that has been waited for has no id any more, so nobody else is hit.
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let (Some(id), Some(signal)) = (id, Signal::from_named_raw(signal))
        && let Err(error) = kill_process(id, signal)
    {
        teller.tell(Event::Failed, &format!("the program does not take the signal: {error}"));
    }
}

/// The exit code of a program: its own, or as shells have it for one that a signal ended.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The registration of the program.
struct Member {
    plan: Plan,
    client: Client,
    phase: Phase,
    joining: AbortOnDropHandle<Registered>,
    /// Whether a server may have heard of the instance.
    is_known: Arc<AtomicBool>,
    registered: Option<Registered>,
    state: Option<watch::Receiver<LeaseState>>,
    leaving: Option<AbortOnDropHandle<()>>,
}

impl Member {
    fn join(plan: Plan) -> Self {
        let urls: Vec<String> = plan.servers.iter().map(ServerUrl::to_string).collect();
        let client =
            Client::new(urls.iter().map(String::as_str)).expect("URLs that were read before, and at least one");
        let is_known = Arc::new(AtomicBool::new(false));
        let registration = Registration::of_members(&plan.service, &plan.id, plan.body.clone());
        let is_address_known = ["address", "addresses"]
            .iter()
            .any(|member| plan.body.get(*member).is_some_and(|address| address != "auto"));
        let readiness = Readiness::of(&plan.registration, is_address_known, way(&plan.servers));
        let joining = join(client.clone(), registration, readiness, Arc::clone(&is_known), plan.teller.clone());
        Self {
            client,
            phase: Phase::Joining,
            joining: AbortOnDropHandle::new(tokio::spawn(joining)),
            is_known,
            registered: None,
            state: None,
            leaving: None,
            plan,
        }
    }

    fn tell(&self, event: Event, words: &str) {
        self.plan.teller.tell(event, words);
    }

    /// Acts on a signal, and gives the one that the program gets now.
    fn take(&mut self, caught: Caught) -> Option<i32> {
        let reaction = self.phase.react(caught);
        if reaction.phase == Phase::Gone {
            self.joining.abort();
        }
        self.phase = reaction.phase;
        if let Phase::Leaving(_) = reaction.phase
            && let Some(registered) = self.registered.take()
        {
            self.tell(Event::Leaving, "is leaving");
            self.leaving = Some(AbortOnDropHandle::new(tokio::spawn(leave(
                registered,
                self.plan.drain,
                self.plan.teller.clone(),
            ))));
        }
        reaction.pass
    }

    /// Waits for whatever is next in the life of the registration; gives a signal that the program is to get now.
    async fn go_on(&mut self) -> Option<i32> {
        match self.phase {
            Phase::Joining => {
                let Ok(registered) = (&mut self.joining).await else {
                    self.phase = Phase::Gone;
                    return None;
                };
                self.tell(Event::Registered, "is registered");
                self.state = Some(registered.state());
                self.registered = Some(registered);
                self.phase = Phase::Registered;
                None
            }
            Phase::Registered => {
                let Some(state) = &mut self.state else { return std::future::pending().await };
                if state.changed().await.is_err() {
                    return std::future::pending().await;
                }
                let state = state.borrow_and_update().clone();
                match state {
                    LeaseState::Held => self.tell(Event::Renewed, "has its heartbeats taken again"),
                    LeaseState::Lost(why) => {
                        self.tell(Event::NotRenewed, &format!("a heartbeat was not taken: {why}; trying again"));
                    }
                }
                None
            }
            Phase::Leaving(_) => {
                if let Some(leaving) = &mut self.leaving {
                    let _ = leaving.await;
                }
                self.leaving = None;
                self.is_known.store(false, Ordering::Relaxed);
                match std::mem::replace(&mut self.phase, Phase::Gone) {
                    Phase::Leaving(pending) => pending,
                    _ => None,
                }
            }
            Phase::Gone => std::future::pending().await,
        }
    }

    /// Deregisters, for the program has ended.
    async fn farewell(mut self) {
        self.joining.abort();
        drop(self.leaving.take());
        let ended = match self.registered.take() {
            Some(registered) => timeout(FAREWELL, registered.leave(Leave::at_once())).await.map(|left| left.map(drop)),
            // What was under way is cut short; nothing of it is left behind.
            None if self.is_known.load(Ordering::Relaxed) => {
                timeout(FAREWELL, deregister(&self.client, &self.plan)).await
            }
            None => return,
        };
        match ended {
            Ok(Ok(())) => self.tell(Event::Deregistered, "is deregistered"),
            Ok(Err(error)) => self.tell(Event::NotDeregistered, &not_deregistered(&error)),
            Err(_) => self.tell(Event::NotDeregistered, LATE),
        }
    }
}

/// Deregisters an instance that may be known or not.
async fn deregister(client: &Client, plan: &Plan) -> Result<(), Error> {
    let target = Target::v1(&["services", &plan.service, "instances", &plan.id]);
    client.call(Call::new(format!("{}/{}", plan.service, plan.id), Method::DELETE, target)).await.map(drop)
}

/// Where the way to the servers leads: the first of them that has an address.
fn way(servers: &[ServerUrl]) -> Option<SocketAddr> {
    servers.iter().find_map(|server| server.host_and_port().to_socket_addrs().ok()?.next())
}

/// Waits until the program is ready, and registers it: again and again, until a server takes it.
async fn join(
    client: Client,
    registration: Registration,
    readiness: Readiness,
    is_known: Arc<AtomicBool>,
    teller: Teller,
) -> Registered {
    readiness.come(|words| teller.tell(Event::NotReady, words)).await;
    let (mut pause, mut told) = (PAUSES.0, String::new());
    loop {
        is_known.store(true, Ordering::Relaxed);
        match client.register(registration.clone()).await {
            Ok(registered) => return registered,
            Err(error) => {
                let words = format!("not registered: {error}; the program runs on, and this is tried again");
                if words != told {
                    teller.tell(Event::NotRegistered, &words);
                    told = words;
                }
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Takes the instance out of DNS, waits until no cache can hold it, as long as it may, and deregisters it.
async fn leave(registered: Registered, drain: Duration, teller: Teller) {
    let way = if drain.is_zero() { Leave::at_once() } else { Leave::drain().within(drain) };
    match timeout(drain + SLACK, registered.leave(way)).await {
        Ok(Ok(is_safe)) if is_safe || drain.is_zero() => {}
        Ok(Ok(_)) => {
            teller.tell(Event::Lingers, "deregistered, but some caches may hold it a while longer; see --drain")
        }
        Ok(Err(error)) => teller.tell(Event::NotDeregistered, &not_deregistered(&error)),
        Err(_) => teller.tell(Event::NotDeregistered, LATE),
    }
}

fn not_deregistered(error: &Error) -> String {
    format!("not deregistered, so the lease has to run out: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        for (wait_status, code) in [(0, 0), (7 << 8, 7), (255 << 8, 255), (15, 143), (9, 137), (11 | 0x80, 139)] {
            assert_eq!(exit_code(ExitStatus::from_raw(wait_status)), code, "{wait_status:#x}");
        }
    }
}
