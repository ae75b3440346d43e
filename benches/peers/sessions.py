"""Processes that are started in a session of their own, so that they can be ended with everything that they started."""

import os
import signal
import subprocess

END_S = 20


def start(command: list[str], **options) -> subprocess.Popen:
    """Starts a command as the leader of a new session; Ctrl-C does not reach it."""
    return subprocess.Popen(command, start_new_session=True, **options)


def end(process: subprocess.Popen) -> None:
    """Ends the session by its id: it is asked to, and killed when it takes long. None of it is left afterwards."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(END_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait(END_S)
