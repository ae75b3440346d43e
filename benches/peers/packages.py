"""The Debian packages with the peers and the load generator."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager

# Each program that is started, and the package that has it.
PROGRAMS = {"nsd": "nsd", "knotd": "knot", "dnsperf": "dnsperf"}
POLICY = "/usr/sbin/policy-rc.d"


def program(name: str) -> str | None:
    """Where a program is; Debian keeps servers where only root's path leads."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def provide(programs: dict[str, str] = PROGRAMS) -> None:
    """Installs what is missing, as root on Debian or Ubuntu; elsewhere it says what is, and raises SystemExit."""
    missing = [package for name, package in programs.items() if not program(name)]
    if not missing:
        return
    if os.geteuid() != 0 or not program("apt-get"):
        names = " ".join(missing)
        raise SystemExit(f"These Debian packages are needed: {names}\nInstall them: sudo apt-get install {names}")
    print("installing", *missing, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    _apt_get(["update"], environment)
    with without_services():
        _apt_get(["install", "--yes", "--no-install-recommends", *missing], environment)


@contextmanager
def without_services():
    """Keeps Debian from starting each server that it installs: policy-rc.d is asked before any start (invoke-rc.d(8)),
    and 101 forbids it. A file that was there before is back afterwards."""
    with tempfile.TemporaryDirectory() as kept:
        before = os.path.join(kept, "policy")
        if os.path.lexists(POLICY):
            shutil.move(POLICY, before)
        try:
            with open(POLICY, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\nexit 101\n")
            os.chmod(POLICY, 0o755)
            yield
        finally:
            os.remove(POLICY)
            if os.path.lexists(before):
                shutil.move(before, POLICY)


def _apt_get(arguments: list[str], environment: dict[str, str]) -> None:
    command = ["apt-get", "-qq", *arguments]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
