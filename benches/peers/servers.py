"""The servers that are measured, each started on loopback, in a directory of its own, pinned to one core unless it says
another thing.

A server is a session of processes. Leaving its context ends the whole session, by its id.
"""

import http.client
import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass

import cores
import messages
import packages
import population as of
import sessions

START_S = 600  # the longest that a server may take to read a million instances

NSD = """server:
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: "{own}"
  database: ""
  pidfile: ""
  zonelistfile: "{own}/zone.list"
  xfrdfile: "{own}/xfrd.state"
  xfrdir: "{own}"
  server-count: 1
  tcp-count: 100
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: {apex}
  zonefile: {zone}
"""

KNOT = """server:
  rundir: {own}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: {own}/knot.sock
database:
  storage: {own}
log:
  - target: stderr
    any: warning
zone:
  - domain: {apex}
    file: {zone}
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
"""


class NotReady(Exception):
    """A server ended, or did not come up in time."""


@dataclass
class Server:
    """A running server: where it answers, and its processes."""

    name: str
    port: int
    process: subprocess.Popen
    log: str
    http: str = ""  # of srvd and etcd

    @property
    def session(self) -> int:
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        sessions.end(self.process)

    def wait_until(self, ready) -> None:
        """Polls until `ready` says so. Raises NotReady with the log when the server ends before."""
        deadline = time.monotonic() + START_S
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log, encoding="utf-8", errors="replace") as file:
                    raise NotReady(f"{self.name} did not come up:\n{file.read()[-4000:]}")
            time.sleep(0.05)


def nsd(own: str, zone: str) -> Server:
    return _peer("nsd", own, zone, NSD, ["nsd", "-d", "-c"])


def knot(own: str, zone: str) -> Server:
    return _peer("knot", own, zone, KNOT, ["knotd", "-c"])


def srvd(own: str, binary: str, services: int, store: str) -> Server:
    """Starts srvd with one UDP worker and registers everything."""
    server = _srvd(own, binary, ["dns.workers=1", f"store.kind={store}"])
    try:
        began = time.monotonic()
        register(server.http, services)
        took_s = time.monotonic() - began
        print(f"srvd: {services * of.INSTANCES} instances registered in {took_s:.1f} s, the client's work included")
    except BaseException:
        server.__exit__()
        raise
    return server


def sharing(own: str, binary: str, endpoint: str) -> Server:
    """Starts srvd with its registry in an etcd. It may run on every core."""
    return _srvd(own, binary, ["store.kind=etcd", f"store.endpoints=http://{endpoint}"], cores.all_of())


def etcd(own: str) -> Server:
    """Starts an etcd of one member; `http` is where its clients come. It may run on every core."""
    client, peer = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    command = [packages.program("etcd"), "--data-dir", f"{own}/data", "--log-level", "error"]
    command += ["--listen-client-urls", f"http://{client}", "--advertise-client-urls", f"http://{client}"]
    command += ["--listen-peer-urls", f"http://{peer}", "--initial-advertise-peer-urls", f"http://{peer}"]
    server = _start("etcd", own, [*command, "--initial-cluster", f"default=http://{peer}"], on=cores.all_of())
    server.http = client

    def healthy() -> bool:
        connection = http.client.HTTPConnection(client, timeout=1)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    try:
        server.wait_until(healthy)
    except BaseException:
        server.__exit__()
        raise
    return server


def echo(own: str, binary: str, octets: dict[str, int]) -> Server:
    """Starts the raw echo with the sizes of srvd's answers."""
    kinds = []
    for kind, size in octets.items():
        name, rtype = of.question(kind, 0)
        kinds.append(f"{len(name.split('.')[0])}:{messages.NUMBERS[rtype]}:{size}")
    server = _start("echo", own, [binary, *kinds])
    server.port = int(_first_line(server, r"ready (\d+)\n")[1])
    return server


def _peer(name: str, own: str, zone: str, template: str, command: list[str]) -> Server:
    """Starts a name server on the zone and waits until it answers for it."""
    port = _free_port()
    os.makedirs(own)
    configuration = os.path.join(own, "configuration")
    with open(configuration, "w", encoding="ascii") as file:
        file.write(template.format(own=own, port=port, zone=zone, apex=of.APEX.rstrip(".")))
    server = _start(name, own, [packages.program(command[0]), *command[1:], configuration], port)

    def answers() -> bool:
        try:
            return messages.ask(port, of.APEX, "SOA", timeout_s=1).rcode == messages.NOERROR
        except (TimeoutError, ConnectionError):
            return False

    try:
        server.wait_until(answers)
    except BaseException:
        server.__exit__()
        raise
    return server


def _srvd(own: str, binary: str, options: list[str], on: set[int] | None = None) -> Server:
    options = [*options, f"dns.zones_dir={own}/none", "log.level=warn"]
    sets = [argument for option in options for argument in ("--set", option)]
    addresses = ["--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data", f"{own}/data"]
    server = _start("srvd", own, [binary, "serve", "--config", _empty(own), *addresses, *sets], on=on)
    ready = _first_line(server, r"srvd ready dns=127\.0\.0\.1:(\d+) http=(127\.0\.0\.1:\d+)\n")
    server.port, server.http = int(ready[1]), ready[2]
    return server


def _start(name: str, own: str, command: list[str], port: int = 0, on: set[int] | None = None) -> Server:
    """Starts a command on the server's core, or on the cores `on`."""
    os.makedirs(own, exist_ok=True)
    log = os.path.join(own, "log")
    on = on or {cores.chosen()[0]}
    with open(log, "wb") as out:
        process = sessions.start(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=own,
            preexec_fn=lambda: os.sched_setaffinity(0, on),
        )
    return Server(name, port, process, log)


def _first_line(server: Server, pattern: str) -> re.Match:
    """Waits for the line that a server prints when it is ready."""

    def found() -> re.Match | None:
        with open(server.log, encoding="utf-8", errors="replace") as file:
            return re.search(pattern, file.read())

    try:
        server.wait_until(found)
    except BaseException:
        server.__exit__()
        raise
    return found()


def register(address: str, services: int) -> None:
    """Registers the instances of so many services at the srvd with this address."""
    connection = http.client.HTTPConnection(address, timeout=START_S)
    for body, count in of.batches(services):
        connection.request("POST", "/v1/batch", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200 or text.count(b'"status":201') != count:
            raise NotReady(f"srvd did not register everything: {reply.status} {text[:2000]!r}")
    connection.close()


def _empty(own: str) -> str:
    """A configuration without a key, so that no file of the working directory is read."""
    os.makedirs(own, exist_ok=True)
    path = os.path.join(own, "config.toml")
    open(path, "w", encoding="ascii").close()
    return path


def _free_port() -> int:
    """A port that is free for UDP and TCP. It is let go again, because these servers cannot say which one they took."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM
        ) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]
    raise NotReady("there is no free port")
