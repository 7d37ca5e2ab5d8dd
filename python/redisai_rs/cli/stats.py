"""`redisai-rs stats`: a live table of queues, models and scripts."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redisai_rs.cli import remote, screen, stored
from redisai_rs.cli.output import as_json, duration, shown, size, table

if TYPE_CHECKING:
    from redisai_rs.client import Client

    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

EXAMPLES = """\
  redisai-rs stats                       a live table; q or Ctrl-C ends it
  redisai-rs stats --interval 5          a new look every five seconds
  redisai-rs stats | head                once: it is not a terminal
  redisai-rs stats --json | jq '.keys[] | select(.errors > 0) | .key'
"""
_QUEUE_FIELDS = ["length", "peak", "busy", "workers", "refused"]
_LATENCIES = [(of, point) for of in ("run_ns", "queue_ns") for point in ("p50", "p99")]


@dataclass
class Look:
    """What a server told at one time."""

    server: dict[str, Any]
    queues: list[dict[str, Any]]
    keys: list[dict[str, Any]]
    at: float = field(default_factory=time.monotonic)


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "stats",
        help="show queues, models, rates and latencies, live",
        **remote.texts(
            "Shows the queues of the devices, and of each model and script of the database its"
            " runs, their rate, and how long they took: on a terminal live, else once. The rates"
            " are those of the last interval; everything else counts from when the model was"
            " stored or its counters were reset.",
            EXAMPLES,
        ),
    )
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="time between two looks, over which rates are taken (default: 1)",
    )
    parser.add_argument("--once", action="store_true", help="show it once, on a terminal too")
    remote.add_options(parser, cluster=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb."""
    with remote.client(options) as client:
        looks = [look(client)]
        if screen.is_terminal() and not options.json and not options.once:
            screen.live(lambda: _next(client, looks), options.interval)
            return 0
        pause(options.interval)
        now = look(client)
        add_rates(looks[0], now)
        if options.json:
            print(as_json({"server": now.server, "queues": now.queues, "keys": now.keys}))
        else:
            print("\n".join(lines(now)))
    return 0


def pause(seconds: float) -> None:
    """Waits for the second look."""
    time.sleep(seconds)


def _next(client: Client, looks: list[Look]) -> list[str]:
    """The lines of a new look, which takes the place of the one before."""
    now = look(client)
    add_rates(looks[0], now)
    looks[0] = now
    return lines(now)


def look(client: Client) -> Look:
    """Asks the server."""
    info = client.redis.info() | client.redis.info("ai")
    keys = stored.infos(client, [*client.model_scan(), *client.script_scan()])
    return Look(_server(info), _queues(info), keys)


def add_rates(before: Look, now: Look) -> None:
    """Adds `runs_per_s` and `rows_per_s` to each key of a look; None where they are not known."""
    passed = now.at - before.at
    earlier = {one["key"]: one for one in before.keys}
    for one in now.keys:
        was = earlier.get(one["key"], {})
        for name, counter in (("runs_per_s", "calls"), ("rows_per_s", "samples")):
            grown = one[counter] - was.get(counter, one[counter] + 1)
            # Less than before: counters were reset, or the model was stored anew.
            one[name] = round(grown / passed, 1) if grown >= 0 and passed > 0 else None


def lines(now: Look) -> list[str]:
    """The table, as lines."""
    return [_headline(now.server), "", *_queue_table(now).splitlines(), "", *_key_table(now)]


def _server(info: dict[str, Any]) -> dict[str, Any]:
    product = "Valkey" if "valkey_version" in info else "Redis"
    return {
        "product": product,
        "version": info.get(f"{product.lower()}_version", ""),
        "module_version": info.get("ai_RedisAI_version", ""),
        "uptime_s": info.get("uptime_in_seconds", 0),
        "used_memory": info.get("used_memory", 0),
        "clients": info.get("connected_clients", 0),
        "blocked_clients": info.get("blocked_clients", 0),
        "running": info.get("ai_running", 0),
        "waiting_for_session": info.get("ai_waiting_for_session", 0),
    }


def _queues(info: dict[str, Any]) -> list[dict[str, Any]]:
    start, end = "ai_queue_", "_length"
    found = []
    for name in info:
        if name.startswith(start) and name.endswith(end):
            device = name[len(start) : -len(end)]
            counts = {one: info[f"{start}{device}_{one}"] for one in _QUEUE_FIELDS}
            # INFO has no colon in a name.
            found.append({"device": device.replace("_", ":"), **counts})
    return sorted(found, key=lambda queue: str(queue["device"]))


def _headline(server: dict[str, Any]) -> str:
    parts = [
        f"{server['product']} {server['version']}, module {server['module_version']}",
        f"up {_uptime(server['uptime_s'])}",
        f"{size(server['used_memory'])} used",
        f"{server['clients']} clients, {server['blocked_clients']} blocked",
        f"{server['running']} running",
    ]
    return " · ".join(parts)


def _uptime(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def _queue_table(now: Look) -> str:
    titles = ["QUEUE", "WAITING", "PEAK", "BUSY", "WORKERS", "REFUSED"]
    rows = [[queue["device"], *(str(queue[one]) for one in _QUEUE_FIELDS)] for queue in now.queues]
    return table(titles, rows, right=titles[1:])


def _key_table(now: Look) -> list[str]:
    if not now.keys:
        return ["no models and no scripts in this database"]
    numbers = ["RUNS/S", "ROWS/S", "RUN P50", "P99", "QUEUE P50", "P99", "RUNS", "ERRORS"]
    # What says most comes first: a narrow terminal shows no more.
    titles = ["KEY", *numbers, "STATE", "DEVICE", "BACKEND", "TYPE"]
    return table(titles, list(map(_key_row, now.keys)), right=numbers).splitlines()


def _key_row(one: dict[str, Any]) -> list[str]:
    rates = [_rate(one["runs_per_s"]), _rate(one["rows_per_s"])]
    times = [duration(one[of][point]) if one[of]["count"] else "-" for of, point in _LATENCIES]
    words = [shown(one[name]) for name in ("state", "device", "backend", "type")]
    return [shown(one["key"]), *rates, *times, str(one["calls"]), str(one["errors"]), *words]


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 0 to 86400 seconds")
    return value
