"""Loads: dnsperf against one server after the other, and what each server spent on it.

Run as a program it reads a list of loads from standard input and prints what it measured, both as JSON. It is a program
of its own so that whatever starts it, such as a lock that keeps others away, is over before the first look at a server.
"""

import json
import os
import re
import subprocess
import sys

import cores
import packages
import usage

# Clients of one load; each is a socket, or a connection that is kept. Together they have so many questions in flight:
# fewer than the socket of a server has room for.
CLIENTS = 8
IN_FLIGHT = 200
TIMEOUT_S = 5


def run(load: dict) -> dict:
    """Loads a server, and returns the figures."""
    session, questions = load["session"], load["questions"]
    command = [packages.program("dnsperf"), "-s", "127.0.0.1", "-p", str(load["port"]), "-m", load["transport"]]
    command += ["-d", questions, "-c", str(CLIENTS), "-T", "1", "-q", str(IN_FLIGHT), "-t", str(TIMEOUT_S)]
    command += ["-l", str(load["seconds"])] + ["-e"] * load["edns"]
    before = usage.threads(session)
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    after = usage.threads(session)
    if result.returncode != 0:
        raise SystemExit(f"dnsperf failed: {result.stderr}{result.stdout}")
    whole_us, user_us = usage.spent(before, after)
    return figures(result.stdout) | {"cpu_us": whole_us, "user_us": user_us}


def figures(text: str) -> dict:
    """Reads what dnsperf prints at its end."""

    def number(pattern: str) -> float:
        found = re.search(pattern, text)
        if not found:
            raise SystemExit(f"dnsperf does not say {pattern}:\n{text}")
        return float(found[1])

    codes = re.search(r"Response codes: +(.*)", text)
    return {
        "completed": int(number(r"Queries completed: +(\d+)")),
        "lost": int(number(r"Queries lost: +(\d+)")),
        "per_second": number(r"Queries per second: +([\d.]+)"),
        "octets": number(r"Average packet size: +request \d+, response (\d+)"),
        "rcodes": {name: int(count) for name, count in re.findall(r"([A-Z]+) (\d+)", codes[1] if codes else "")},
    }


def main() -> None:
    os.sched_setaffinity(0, {cores.chosen()[1]})
    print(json.dumps([run(load) for load in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
