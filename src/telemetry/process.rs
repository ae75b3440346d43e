//! Figures of the process, by the names that all programs use for them.

use std::fs;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

use super::metrics::{Exposition, Source};

/// The process that this runs in.
#[derive(Debug)]
pub struct Process {
    started: SystemTime,
}

impl Process {
    /// To be called when the process starts, which is taken to be now.
    pub fn starting() -> Self {
        Self { started: SystemTime::now() }
    }
}

impl Source for Process {
    /// What the system does not tell is left out.
    fn tell(&self, to: &mut Exposition) {
        to.counter("process_cpu_seconds_total", "User and system CPU time, in seconds.", cpu().as_secs_f64());
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        to.gauge(
            "process_start_time_seconds",
            "When the process started, in seconds since the Unix epoch.",
            started.as_secs_f64(),
        );
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // The directory itself is one of them while it is read.
            to.gauge("process_open_fds", "Open file descriptors.", open.count().saturating_sub(1));
        }
        if let Ok(most) = rlimit::Resource::NOFILE.get_soft() {
            to.gauge("process_max_fds", "File descriptors that may be open.", most);
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, field, unit) in [
            ("process_resident_memory_bytes", "Resident memory, in octets.", "VmRSS", 1024),
            ("process_virtual_memory_bytes", "Virtual memory, in octets.", "VmSize", 1024),
            ("process_threads", "Threads.", "Threads", 1),
        ] {
            if let Some(value) = field_of(&status, field) {
                to.gauge(name, help, value * unit);
            }
        }
    }
}

fn cpu() -> Duration {
    let told = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(told.tv_sec as u64, told.tv_nsec as u32)
}

/// A number in `/proc/self/status` (proc_pid_status(5)), in the unit that it has there.
fn field_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tsrvd\nVmRSS:\t   12345 kB\nVmRSSx:\t1 kB\nThreads:\t7\n";
        assert_eq!((field_of(status, "VmRSS"), field_of(status, "Threads")), (Some(12345), Some(7)));
        assert_eq!((field_of(status, "Vm"), field_of(status, "Name"), field_of(status, "None")), (None, None, None));
    }

    #[test]
    fn the_figures_are_those_of_this_process() {
        let mut exposition = Exposition::default();
        let _open = fs::File::open("/proc/self/status").unwrap();
        Process::starting().tell(&mut exposition);
        let text = exposition.into_text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
        };
        let past_2020 = 1_577_836_800.0;
        assert!(value("process_start_time_seconds") > past_2020 && value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_open_fds") >= 4.0 && value("process_open_fds") < value("process_max_fds"));
        assert!(value("process_resident_memory_bytes") < value("process_virtual_memory_bytes"));
        assert!(value("process_resident_memory_bytes") > 1_000_000.0 && value("process_threads") >= 1.0);
    }
}
