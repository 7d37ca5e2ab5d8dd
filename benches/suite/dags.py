"""Measurements of whole inferences, each one DAG of TENSORSET, MODELEXECUTE and TENSORGET.

One function a group: figures by name, of one repetition.
"""

from __future__ import annotations

from functools import partial

from redisai_rs.testing import Server

from suite.bench import Bench, Command, Loaded, assert_same, execute, store, tensor_set
from suite.figures import BATCHES, CONNECTIONS
from suite.models import Model

BATCHSIZE = 32
# Of the closed loop's rate on one connection: arrivals seldom come together, so most cost as much
# as there, and a queue has time to empty.
OPEN = 0.7


def request(model: Model) -> Command:
    """A whole inference in one command; the routing tag stands where it has no keys."""
    words: list[bytes | str | int] = ["AI.DAGEXECUTE_RO", "ROUTING", "x"]
    for operation in (
        tensor_set("in", model.shape, model.input.tobytes()),
        execute(model.name, "in", "out"),
        ["AI.TENSORGET", "out", "BLOB"],
    ):
        words += ["|>", *operation]
    return words


def dag(bench: Bench) -> dict[str, float]:
    """T1 and T2: tiny beside the floor, and the floor beside plain commands.

    Requests may share runs, as the floor's always do.
    """
    model = bench.models["tiny"]
    found: dict[str, float] = {}
    with bench.ours() as ours, bench.with_floor(model) as floor:
        store_checked(ours, model, "BATCHSIZE", BATCHSIZE)
        rates = []
        for count in CONNECTIONS:
            figures, rate = _overhead(bench, ours, floor, count)
            found |= figures
            rates.append(rate)
        pipelines, arrivals = [[request(model)]], OPEN * rates[0]
        (loose,) = bench.in_turns(
            lambda: bench.run_load(ours, pipelines, CONNECTIONS[-1], rate=arrivals)
        )
    return found | {"T2 open": loose.p99 / loose.p50, "T2 open us": loose.p99}


def _overhead(
    bench: Bench, ours: Server, floor: Server, count: int
) -> tuple[dict[str, float], float]:
    """Figures on so many connections, and the requests a second."""
    model = bench.models["tiny"]
    blob = model.input.tobytes()
    whole = [[request(model)]]
    bare: list[list[Command]] = [[["FLOOR.RUN", blob]]]
    # The floor looks at its first argument alone: what is left is the server reading the others.
    others = [word for word in request(model)[1:] if word != blob]
    worded: list[list[Command]] = [[["FLOOR.RUN", blob, *others]]]
    plain: list[list[Command]] = [
        [["SET", f"in{i}", blob], ["GET", f"out{i}"]] for i in range(count)
    ]
    for i in range(count):
        floor.execute("SET", f"out{i}", b"8 bytes.")
    served, least, read, without = bench.in_turns(
        lambda: bench.run_load(ours, whole, count),
        lambda: bench.run_load(floor, bare, count),
        lambda: bench.run_load(floor, worded, count),
        lambda: bench.run_load(floor, plain, count),
    )
    found = {
        f"T1 c={count}": served.rate / least.rate,
        f"T1 us c={count}": served.cpu_us,
        f"floor us c={count}": least.cpu_us,
        f"worded c={count}": read.rate / least.rate,
        f"worded us c={count}": read.cpu_us,
        f"floor c={count}": least.rate / without.rate,
    }
    if count == CONNECTIONS[-1]:
        found |= {"T2": served.p99 / served.p50, "T2 us": served.p99}
    return found, served.rate


def mlp(bench: Bench) -> dict[str, float]:
    """T3, T4, T5: a model that gains by batches."""
    model = bench.models["mlp"]
    bare: list[list[Command]] = [[["FLOOR.RUN", model.input.tobytes()]]]
    found: dict[str, float] = {}
    with bench.ours(pinned=False) as server, bench.with_floor(model, pinned=False) as floor:
        store_checked(server, model, "BATCHSIZE", BATCHSIZE)
        for name, count in BATCHES.items():
            served, least, alone = bench.in_turns(
                partial(_serve, bench, server, model, count),
                partial(bench.run_load, floor, bare, count, bench.long_s, pinned=False),
                partial(bench.reference, model, count, bench.long_s, pinned=False),
            )
            found |= {name: served.rate / alone.rate, f"{name} us": served.cpu_us}
            found[f"{name} floor"] = least.rate / alone.rate
    return found


def conv(bench: Bench) -> dict[str, float]:
    """T6 and T7: a model that gains nothing by batches."""
    model = bench.models["conv"]
    bare: list[list[Command]] = [[["FLOOR.RUN", model.input.tobytes()]]]
    with bench.ours() as server, bench.with_floor(model) as floor:
        store_checked(server, model)
        served, least, alone = bench.in_turns(
            lambda: _serve(bench, server, model, 1, pinned=True),
            lambda: bench.run_load(floor, bare, seconds=bench.long_s),
            lambda: bench.reference(model, 1, bench.long_s, pinned=True),
        )
    found = {"T6": served.rate / alone.rate, "T6 floor": least.rate / alone.rate}
    with bench.ours(pinned=False) as server:
        store_checked(server, model, "BATCHSIZE", BATCHSIZE)
        many, alone = bench.in_turns(
            lambda: _serve(bench, server, model, BATCHSIZE),
            lambda: bench.reference(model, 1, bench.long_s, pinned=False),
        )
    found |= {"T6 us": served.cpu_us, "T7": many.rate / alone.rate, "T7 us": many.cpu_us}
    return found


def _serve(
    bench: Bench, server: Server, model: Model, count: int, *, pinned: bool = False
) -> Loaded:
    """DAGs on so many connections. One run takes long, so slices are longer too."""
    return bench.run_load(server, [[request(model)]], count, bench.long_s, pinned)


def store_checked(server: Server, model: Model, *options: str | int) -> None:
    """Stores a model and checks what a DAG with it replies once."""
    store(server, model, *options)
    reply = server.execute(*request(model))
    assert_same(reply[-1] if isinstance(reply, list) else reply, model)
