"""Whether a server answers as it should: sampled questions against what the population says."""

import random

import messages
import population as of
from messages import Answer

SAMPLES = 20  # services that each server is asked about, with every kind of question


class WrongAnswer(Exception):
    """A server did not say what it was asked for: its figures would mean nothing."""


def check(name: str, port: int, services: int, edns: bool) -> dict[str, int]:
    """Asks about sampled services. Returns the octets of the answer to each kind of question."""
    draw = random.Random(of.SEED)
    sizes: dict[str, int] = {}
    for number in [0, services - 1] + [draw.randrange(services) for _ in range(SAMPLES)]:
        for kind in of.MIX:
            owner, rtype = of.question(kind, number)
            answer = messages.ask(port, owner, rtype, edns)
            for fault in faults(kind, number, answer):
                raise WrongAnswer(f"{name} on {owner} {rtype}: {fault}\n{answer}")
            if sizes.setdefault(kind, answer.octets) != answer.octets:
                raise WrongAnswer(f"{name}: answers of kind {kind} are of {sizes[kind]} and of {answer.octets} octets")
    return sizes


def faults(kind: str, number: int, answer: Answer):
    """Yields what is wrong with an answer."""
    instances = of.instances(number)
    owner, _ = of.question(kind, number)
    addresses = {(at.name, "A", of.TTL, at.address) for at in instances}
    expected = {
        "srv": {(owner, "SRV", of.TTL, f"0 1 {of.PORT} {at.name}") for at in instances},
        "a": {(owner, "A", of.TTL, at.address) for at in instances},
    }.get(kind, set())
    rcode = messages.NXDOMAIN if kind == "nxdomain" else messages.NOERROR
    if answer.rcode != rcode:
        yield f"response code {answer.rcode} instead of {rcode}"
    if not answer.authoritative or answer.truncated:
        yield "AA is not set, or TC is"
    if answer.answers != expected:
        yield f"not the answers {sorted(expected)}"
    if kind == "srv" and not addresses <= answer.additional:
        yield f"not the additional records {sorted(addresses)}"
    soa = [record for record in answer.authority if record[:3] == (of.APEX, "SOA", of.TTL)]
    if len(soa) != (kind in ("nodata", "nxdomain")):
        yield "the SOA record in the authority section, or none of it"
