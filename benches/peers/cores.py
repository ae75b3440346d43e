"""The two cores of a measurement: one for the server, one for dnsperf."""

import os
from functools import cache


@cache
def chosen() -> tuple[int, int]:
    """The first core that this process may use, and the first that shares no execution units with it, if there is one.

    Raises SystemExit when there is only one.
    """
    server, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise SystemExit("two cores are needed: one for the server, one for dnsperf")
    siblings = _siblings(server)
    return server, next((core for core in others if core not in siblings), others[0])


def all_of() -> set[int]:
    """Every core that this process may use."""
    return os.sched_getaffinity(0)


def _siblings(core: int) -> set[int]:
    """The hardware threads of the same core."""
    try:
        with open(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list", encoding="ascii") as file:
            ranges = [part.partition("-") for part in file.read().strip().split(",")]
    except FileNotFoundError:
        return set()
    return {number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)}
