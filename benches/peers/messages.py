"""DNS messages: questions written, answers read, as far as the comparison needs it (RFC 1035, RFC 2782)."""

import socket
import struct
from dataclasses import dataclass

NUMBERS = {"A": 1, "SOA": 6, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in NUMBERS.items()}
NOERROR, NXDOMAIN = 0, 3

Record = tuple[str, str, int, str]  # owner name, type, TTL, data


@dataclass(frozen=True)
class Answer:
    """What matters of a response."""

    rcode: int
    authoritative: bool
    truncated: bool
    answers: frozenset[Record]
    authority: frozenset[Record]
    additional: frozenset[Record]
    octets: int


def query(name: str, rtype: str, number: int = 1, edns: bool = False) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    opt = struct.pack("!BHHIH", 0, 41, 1232, 0, 0) if edns else b""
    header = struct.pack("!6H", number, 0, 1, 0, 0, int(edns))
    return header + labels + struct.pack("!BHH", 0, NUMBERS[rtype], 1) + opt


def ask(port: int, name: str, rtype: str, edns: bool = False, timeout_s: float = 2.0) -> Answer:
    """Asks a server on loopback by UDP. Raises TimeoutError, or ConnectionError when nothing listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_s)
        client.connect(("127.0.0.1", port))
        client.send(query(name, rtype, edns=edns))
        return read(client.recv(65535))


def read(packet: bytes) -> Answer:
    """Reads a response. Raises ValueError or an index error where it is not well-formed."""
    number, flags, questions, *counts = struct.unpack_from("!6H", packet)
    if number != 1 or not flags & 0x8000 or questions != 1:
        raise ValueError("this is no response to the question")
    _, at = _name(packet, 12)
    at += 4
    sections = []
    for count in counts:
        records = []
        for _ in range(count):
            record, at = _record(packet, at)
            records.append(record)
        sections.append(frozenset(record for record in records if record[1] != "41"))
    if at != len(packet):
        raise ValueError("there is something behind the last record")
    return Answer(flags & 15, bool(flags & 0x0400), bool(flags & 0x0200), *sections, len(packet))


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """A name that may be compressed, in lower case, and where the message goes on behind it."""
    labels, behind = [], None
    while length := packet[at]:
        if length >= 0xC0:
            behind = behind or at + 2
            target = (length & 0x3F) << 8 | packet[at + 1]
            if target >= at:
                raise ValueError("a pointer leads forward")
            at = target
        else:
            labels.append(packet[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
    return ".".join(labels) + ".", behind or at + 1


def _record(packet: bytes, at: int) -> tuple[Record, int]:
    owner, at = _name(packet, at)
    rtype, _, ttl, length = struct.unpack_from("!HHIH", packet, at)
    at += 10
    if rtype == NUMBERS["A"]:
        text = socket.inet_ntoa(packet[at : at + length])
    elif rtype == NUMBERS["SRV"]:
        priority, weight, port = struct.unpack_from("!3H", packet, at)
        text = f"{priority} {weight} {port} {_name(packet, at + 6)[0]}"
    else:
        text = packet[at : at + length].hex()
    return (owner, NAMES.get(rtype, str(rtype)), ttl, text), at + length
