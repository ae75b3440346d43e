"""The figures as people read them: medians over the rounds, in a Markdown table, with the machine they come from."""

import os
import platform
from statistics import median

HEAD = ["", "queries/s", "CPU µs per query", "of it user", "times the echo", "resident MiB"]


def text(title: str, order: list[str], rounds: dict[str, list[dict]], resident: dict[str, float]) -> str:
    """One table; `rounds` has what each load measured, by server."""
    medians = {name: _medians(rounds[name]) for name in order}
    floor = medians["echo"][1] if "echo" in medians else None
    rows = [HEAD, ["---"] + ["---:"] * (len(HEAD) - 1)]
    for name in order:
        per_second, whole, user = medians[name]
        times = f"{whole / floor:.2f}" if floor else ""
        rows.append([name, f"{per_second:,.0f}", f"{whole:.2f}", f"{user:.2f}", times, f"{resident[name]:,.0f}"])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return f"\n{title}\n\n" + "\n".join(lines)


def machine() -> str:
    """The processors and the kernel."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}"


def _medians(loads: list[dict]) -> tuple[float, float, float]:
    return (
        median(load["per_second"] for load in loads),
        median(load["cpu_us"] / load["completed"] for load in loads),
        median(load["user_us"] / load["completed"] for load in loads),
    )
