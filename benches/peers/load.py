"""One load: dnsperf against one server, and what the server spent on it.

Run as a program, `load.py SESSION TRANSPORT PORT SECONDS QUESTIONS EDNS`, it prints what it measured as JSON. It is a
program of its own so that the looks at the server stand right before and right after the load, whatever starts it.
"""

import json
import os
import re
import subprocess
import sys

import packages
import usage

CLIENT_CORE = 1
# Clients of one load; each is a socket, or a connection that is kept. Together they have so many questions in flight:
# fewer than the socket of a server has room for.
CLIENTS = 8
IN_FLIGHT = 200
TIMEOUT_S = 5


def run(session: int, transport: str, port: int, seconds: float, questions: str, edns: bool) -> dict:
    """Loads a server, and returns the figures."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    command = [packages.program("dnsperf"), "-s", "127.0.0.1", "-p", str(port), "-m", transport, "-d", questions]
    command += ["-c", str(CLIENTS), "-T", "1", "-q", str(IN_FLIGHT), "-l", str(seconds), "-t", str(TIMEOUT_S)]
    command += ["-e"] if edns else []
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
    session, transport, port, seconds, questions, edns = sys.argv[1:]
    print(json.dumps(run(int(session), transport, int(port), float(seconds), questions, edns == "edns")))


if __name__ == "__main__":
    main()
