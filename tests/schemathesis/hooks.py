"""What schemathesis is told beside the description.

The server that is tested must reach nobody: generated registrations and callbacks are kept on this host, and what would
only wait does not wait long. And replies are held to their schemas exactly: a member that is not described is a fault
here, though clients are asked to expect further ones.
"""

import re

import schemathesis

SPAN = re.compile(r"(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")
# What nobody listens at.
CALLBACK = "http://127.0.0.1:9/"
ADDRESS = "127.0.0.1"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    for schema in raw_schema["components"]["schemas"].values():
        close(schema)
    # Nobody looks at what is sent for them; all that can be sent may be sent.
    for kind in ("Http", "Tcp", "Grpc"):
        for member in ("last_result", "next_check", "verdict"):
            raw_schema["components"]["schemas"][kind + "Check"]["properties"][member].pop("readOnly")


def close(schema):
    """Lets an object that has members have no others."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            close(inner)
    elif isinstance(schema, list):
        for inner in schema:
            close(inner)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.body is not None:
        case.body = kept_here(case.body)
    if isinstance(case.query, dict) and isinstance(case.query.get("wait"), str):
        case.query["wait"] = short(case.query["wait"])


def short(wait):
    """The same kind of value, which ends soon."""
    if wait in ("", "true"):
        return "false"
    return "1ms" if SPAN.fullmatch(wait) else wait


def kept_here(value):
    """The same body, with addresses that can be reached replaced, and with short times for checks."""
    if isinstance(value, list):
        return [kept_here(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {name: kept_here(entry) for name, entry in value.items()}
    if isinstance(kept.get("address"), str) and kept["address"] != "auto" and kept["address"].strip("-."):
        kept["address"] = ADDRESS
    if isinstance(kept.get("addresses"), list) and all(isinstance(entry, str) for entry in kept["addresses"]):
        kept["addresses"] = [ADDRESS for _ in kept["addresses"]]
    if isinstance(kept.get("callback"), str) and kept["callback"].startswith("http"):
        kept["callback"] = CALLBACK
    if kept.get("kind") in ("http", "tcp", "grpc") and isinstance(kept.get("timeout"), str):
        kept["timeout"] = "100ms"
    return kept
