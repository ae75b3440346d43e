"""What the processes of a server have used: processor time to the nanosecond, its user part, resident memory.

The scheduler counts the time of each thread in nanoseconds. How much of it was user time the kernel samples by its tick
(`CONFIG_HZ`), so that part is a share of the ticks: at 250 a second, a run of five seconds knows it to about 3 % of the
whole. Threads are taken one by one, because a share over a whole process would be spoilt by what the others once did.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Thread:
    """What one thread has used since it began."""

    ran_ns: int
    user_ticks: int
    system_ticks: int


def processes(session: int) -> list[int]:
    """The processes of a session: those that the server started are in the session it was given."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(f"/proc/{entry}/stat")
            if fields and int(fields[3]) == session:
                found.append(int(entry))
    return found


def threads(session: int) -> dict[int, Thread]:
    """What each thread of a session has used so far."""
    found = {}
    for process in processes(session):
        for thread in os.listdir(f"/proc/{process}/task"):
            path = f"/proc/{process}/task/{thread}"
            fields = _stat(f"{path}/stat")
            if fields:
                ran_ns = int(_read(f"{path}/schedstat").split()[0])
                found[int(thread)] = Thread(ran_ns, int(fields[11]), int(fields[12]))
    return found


def spent(before: dict[int, Thread], after: dict[int, Thread]) -> tuple[float, float]:
    """Processor time between two looks, in microseconds: in all, and of it in user space."""
    whole = user = 0.0
    for thread, now in after.items():
        then = before.get(thread, Thread(0, 0, 0))
        ran_us = (now.ran_ns - then.ran_ns) / 1000
        user_ticks = now.user_ticks - then.user_ticks
        ticks = user_ticks + now.system_ticks - then.system_ticks
        whole += ran_us
        user += ran_us * user_ticks / ticks if ticks else 0
    return whole, user


def resident_mib(session: int) -> float:
    """Resident memory; what processes share counts once (PSS)."""
    kib = 0
    for process in processes(session):
        for line in _read(f"/proc/{process}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib / 1024


def _stat(path: str) -> list[str]:
    """The fields of a `stat` file from the state on; none when the process has ended."""
    try:
        return _read(path).rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
