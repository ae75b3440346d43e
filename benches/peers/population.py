"""What all servers serve and are asked: the same names, written as a zone, as registrations and as questions.

Everything follows from the number of a service and of its instance, so nothing is kept in memory, and two runs ask the
same questions in the same order. Names have one length, so that every answer of one kind has one size.
"""

import json
import random
from dataclasses import dataclass

APEX = "svc.local."
PORT = 8080
TTL = 5
INSTANCES = 5  # of each service
MOST_SERVICES = 999_999  # whose names have one length
SEED = 2782

# Shares of the kinds of questions, in per cent.
MIX = {"srv": 50, "a": 40, "nodata": 5, "nxdomain": 5}
TYPES = {"srv": "SRV", "a": "A", "nodata": "AAAA", "nxdomain": "A"}


@dataclass(frozen=True)
class Instance:
    """One instance: its names and its address."""

    service: str
    id: str
    address: str

    @property
    def name(self) -> str:
        return f"{self.id}.{self.service}.{APEX}"


def service(number: int) -> str:
    return f"s{number:06d}"


def instances(number: int) -> list[Instance]:
    """The instances of one service. Odd steps keep its ids apart."""
    found = []
    for index in range(INSTANCES):
        ordinal = number * INSTANCES + index + 1
        address = f"10.{ordinal >> 16 & 255}.{ordinal >> 8 & 255}.{ordinal & 255}"
        found.append(Instance(service(number), f"i-{(number * 7919 + index * 13001) % 65536:04x}", address))
    return found


def question(kind: str, number: int) -> tuple[str, str]:
    """The name and the type of a question. The services of `nxdomain` have a longer name, which nobody has."""
    name = {
        "srv": f"_{service(number)}._tcp.{APEX}",
        "a": f"{service(number)}.{APEX}",
        "nodata": f"{service(number)}.{APEX}",
        "nxdomain": f"x{number:07d}.{APEX}",
    }[kind]
    return name, TYPES[kind]


def rcodes() -> dict[str, float]:
    """The share of each response code among the answers."""
    missing = MIX["nxdomain"] / sum(MIX.values())
    return {"NOERROR": 1 - missing, "NXDOMAIN": missing}


def write_questions(path: str, services: int, count: int) -> None:
    """Writes the input of dnsperf: random services in the shares of the mix."""
    draw = random.Random(SEED)
    kinds = draw.choices(list(MIX), weights=MIX.values(), k=count)
    with open(path, "w", encoding="ascii") as file:
        for kind in kinds:
            name, rtype = question(kind, draw.randrange(services))
            file.write(f"{name} {rtype}\n")


def write_zone(path: str, services: int) -> None:
    """Writes the master file: of each service its addresses, its SRV records at both names, and its instances."""
    with open(path, "w", encoding="ascii") as file:
        file.write(f"$ORIGIN {APEX}\n$TTL {TTL}\n")
        # NSD adds the NS record to answers, so it is a short one, and has no address here that would be added too.
        file.write(f"@ SOA server.srvd.ns hostmaster 1 3600 600 86400 {TTL}\n@ NS a.\n")
        for number in range(services):
            name = service(number)
            for at in instances(number):
                target = f"{at.id}.{name}"
                file.write(
                    f"{name} A {at.address}\n{name} SRV 0 1 {PORT} {target}\n"
                    f"_{name}._tcp SRV 0 1 {PORT} {target}\n{target} A {at.address}\n"
                )


def batches(services: int, services_each: int = 2000):
    """Yields the bodies of `POST /v1/batch` that register everything, and how many registrations each has."""
    for first in range(0, services, services_each):
        operations = [
            {"register": {"service": at.service, "id": at.id, "address": at.address, "port": PORT, "ttl": "24h"}}
            for number in range(first, min(first + services_each, services))
            for at in instances(number)
        ]
        yield json.dumps({"operations": operations}).encode(), len(operations)
