"""How many rows each run really had: the backend says so to each row."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
import redis
from batching.telling import Member, matrix, member, members, runs, store_telling
from dag.ops import dag, tget
from dag.ops import execute as step
from holding import Pending, run, store, tensor
from redisai_rs.testing import Server, wait_until

LENGTH = "ai_queue_CPU_length"
CLIENTS, ROUNDS = 16, 25

HEAD = "LOAD 1 scalar PERSIST 1 y"

Send = Callable[..., Pending]


def plain(n: int) -> list[object]:
    return run("m", [f"x{n}"], [f"y{n}"])


def persisting(n: int) -> list[object]:
    return dag(step("m", f"x{n}", f"y{n}"), head=f"LOAD 1 x{n} PERSIST 1 y{n}")


def deprecated(n: int) -> list[object]:
    words = ["AI.MODELRUN", "m", "INPUTS", f"x{n}", "OUTPUTS", f"y{n}"]
    return dag(words, head=f"LOAD 1 x{n} PERSIST 1 y{n}", kind="AI.DAGRUN")


FORMS = [plain, persisting, deprecated]


@pytest.fixture
def busy(held: redis.Redis, gate: Callable, pending: Send) -> Callable[[], None]:
    """A run on the device's only worker; ends when it is called."""
    at = gate()
    store(held, "front", at.run_text)
    tensor(held, "x", 1)
    front = pending(*run("front", ["x"], ["y"]))
    at.reached()

    def end() -> None:
        at.open()
        assert front.reply() == b"OK"

    return end


def sizes(found: list[Member]) -> list[list[int]]:
    """The rows of each member of each run, runs in order."""
    return [[one.rows for one in group] for group in runs(found).values()]


def packed(rows: list[int], size: int) -> list[list[int]]:
    """docs/scheduling.md: a request joins the last batch, or closes it; so many rows run alone."""
    batches: list[list[int]] = []
    last: list[int] = []
    for own in rows:
        if own < size and last and sum(last) + own <= size:
            last.append(own)
            continue
        batches.append([own])
        if own < size:
            last = batches[-1]
    return batches


def backlog(
    client: redis.Redis, server: Server, send: Send, rows: list[int], end: Callable[[], None]
) -> list[Member]:
    """Requests of so many rows, in turn plain runs and steps of DAGs, that are all in line before
    the first is run."""
    waiting = []
    for n, own in enumerate(rows):
        matrix(client, f"x{n}", own)
        waiting.append(send(*FORMS[n % len(FORMS)](n)))
        wait_until(lambda n=n: server.info("ai")[LENGTH] == str(n + 1), "the request in line")
    end()
    assert all(one.reply() in (b"OK", [b"OK"]) for one in waiting)
    return members(client, [f"y{n}" for n in range(len(rows))])


@pytest.mark.parametrize("size", [2, 3, 5, 8, 16])
def test_a_backlog_is_packed_up_to_batchsize(held, held_server, pending, busy, size):
    rng = random.Random(size)
    # With a minimum of a whole batch nothing that was learned makes a run smaller.
    store_telling(held, size, "MINBATCHSIZE", size, "MINBATCHTIMEOUT", 1)
    rows = [rng.randint(1, max(2, size // 2)) for _ in range(30)]
    found = backlog(held, held_server, pending, rows, busy)
    assert sizes(found) == packed(rows, size)
    # One run in three forms: a plain run, a DAG's step, a step of the deprecated form.
    forms = [{int(one.key[1:]) % 3 for one in group} for group in runs(found).values()]
    assert max(map(len, forms)) == min(3, size)


def test_a_backlog_without_a_minimum(held, held_server, pending, busy):
    """The engine may find that smaller runs pay, but here none has told it so."""
    store_telling(held, 4)
    found = backlog(held, held_server, pending, [1, 1, 1, 1, 3, 2, 1, 1], busy)
    assert sizes(found) == [[1, 1, 1, 1], [3], [2, 1, 1]]


def test_requests_of_a_whole_batch_or_more_run_alone(held, held_server, pending, busy):
    store_telling(held, 4, "MINBATCHSIZE", 4, "MINBATCHTIMEOUT", 1)
    found = backlog(held, held_server, pending, [1, 4, 1, 9, 1], busy)
    # What is full goes first while the others wait for their minimum: they are of one batch.
    assert sorted(sizes(found)) == [[1, 1, 1], [4], [9]]


@pytest.mark.parametrize(
    "kinds",
    [["FLOAT", "INT32"], ["FLOAT 2", "FLOAT 3"], ["FLOAT", "FLOAT 1"]],
    ids=["dtypes", "dims", "ranks"],
)
def test_kinds_share_no_run(held, held_server, pending, busy, kinds):
    store_telling(held, 8, "MINBATCHSIZE", 8, "MINBATCHTIMEOUT", 1)
    for n in range(6):
        dtype, *columns = kinds[n % 2].split()
        assert held.execute_command("AI.TENSORSET", f"x{n}", dtype, 2, *columns) == b"OK"
    waiting = [pending(*plain(n)) for n in range(6)]
    wait_until(lambda: held_server.info("ai")[LENGTH] == "6", "the requests in line")
    busy()
    assert [one.reply() for one in waiting] == [b"OK"] * 6
    found = runs(members(held, [f"y{n}" for n in range(6)]))
    keys = [{one.key for one in group} for group in found.values()]
    assert keys == [{"y0", "y2", "y4"}, {"y1", "y3", "y5"}]


def test_what_has_no_rows_runs_alone_and_at_once(held):
    """Inputs that disagree about their rows, or that are scalars: no minimum is waited for."""
    sizes = ["BATCHSIZE", 8, "MINBATCHSIZE", 8]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB"]
    assert held.execute_command(*words, "tell\ninput a\ninput b\noutput y") == b"OK"
    matrix(held, "one", 1)
    matrix(held, "two", 2)
    for n, inputs in enumerate((["one", "two"], ["two", "one"])):
        assert held.execute_command(*run("m", inputs, ["y"])) == b"OK"
        (alone,) = members(held, ["y"])
        assert alone == Member("y", rows=n + 1, run=n + 1, run_rows=n + 1, place=0)
    assert held.execute_command(*words, "identity") == b"OK"
    assert held.execute_command("AI.TENSORSET", "scalar", "FLOAT", "VALUES", 3) == b"OK"
    for step_or_run in (run("m", ["scalar"], ["y"]), dag(step("m", "scalar", "y"), head=HEAD)):
        assert held.execute_command(*step_or_run) in (b"OK", [b"OK"])
        assert held.execute_command("AI.TENSORGET", "y", "VALUES") == [b"3"]


@pytest.mark.parametrize(("declared", "most"), [("input x FLOAT 2\noutput y", 2), ("", 8)])
def test_a_model_that_fixes_its_rows(held, held_server, pending, busy, declared, most):
    store_telling(held, 8, "MINBATCHSIZE", 8, "MINBATCHTIMEOUT", 1, declared=declared)
    found = backlog(held, held_server, pending, [1] * 16, busy)
    assert sizes(found) == [[1] * most] * (16 // most)


def test_a_minimum_is_reached_and_not_exceeded_for_nothing(held, held_server, pending):
    """It waits for so many rows, and takes all that have come then."""
    store_telling(held, 8, "MINBATCHSIZE", 4)
    waiting = []
    for n, own in enumerate([1, 2, 3]):
        matrix(held, f"x{n}", own)
        waiting.append(pending(*FORMS[n](n)))
        if n < 2:
            wait_until(lambda n=n: held_server.info("ai")[LENGTH] == str(n + 1), "the wait")
            assert not any(one.answered() for one in waiting)
    assert [one.reply() for one in waiting] == [b"OK", [b"OK"], [b"OK"]]
    assert sizes(members(held, ["y0", "y1", "y2"])) == [[1, 2, 3]]


def test_a_later_step_of_a_dag_joins_a_plain_run(held, held_server, pending):
    store_telling(held, 2, "MINBATCHSIZE", 2)
    store(held, "before", "identity", device="CPU:1")
    for n in range(2):
        matrix(held, f"x{n}", 1)
    alone = pending(*plain(0))
    wait_until(lambda: held_server.info("ai")[LENGTH] == "1", "the run that waits")
    steps = [step("before", "x1", "h"), step("m", "h", "y"), tget("y", "BLOB")]
    reading = dag(*steps, head="LOAD 1 x1", kind="AI.DAGEXECUTE_RO")
    first, second, blob = held.execute_command(*reading)
    assert (first, second, alone.reply()) == (b"OK", b"OK", b"OK")
    found = [*members(held, ["y0"]), member("DAG", blob)]
    assert [[one.key for one in group] for group in runs(found).values()] == [["y0", "DAG"]]


def test_steps_of_one_dag_share_a_run(held):
    store_telling(held, 8, "MINBATCHSIZE", 6)
    for n in range(3):
        matrix(held, f"x{n}", n + 1)
    steps = [step("m", f"x{n}", f"y{n}") for n in range(3)]
    words = dag(*steps, head="LOAD 3 x0 x1 x2 PERSIST 3 y0 y1 y2")
    assert held.execute_command(*words) == [b"OK"] * 3
    assert sizes(members(held, ["y0", "y1", "y2"])) == [[1, 2, 3]]


class Caller(threading.Thread):
    """A client that sends requests of its own rows, one after the other."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__()
        self.client = server.client()
        self.number, self.found = number, []
        self.failure: BaseException | None = None

    def run(self) -> None:
        rng = random.Random(self.number)
        try:
            for turn in range(ROUNDS):
                n = self.number * ROUNDS + turn
                matrix(self.client, f"x{n}", rng.choice((1, 1, 1, 2, 3, 7, 11)))
                form = rng.choice(FORMS)
                assert self.client.execute_command(*form(n)) in (b"OK", [b"OK"])
                (one,) = members(self.client, [f"y{n}"])
                self.found.append(one._replace(key=form.__name__))
        except BaseException as error:
            self.failure = error


@pytest.mark.parametrize("minimum", [(), ("MINBATCHSIZE", 6, "MINBATCHTIMEOUT", 5)], ids=len)
@pytest.mark.parametrize("workers", [1, 2])
def test_many_clients_at_once(make_server, server_binary, held_arguments, workers, minimum):
    """Every row of every run is one client's, and no run has more than BATCHSIZE."""
    arguments = [*held_arguments, "THREADS_PER_QUEUE", workers]
    server = make_server(server_binary, module_args=arguments)
    store_telling(server.client(), 8, *minimum)
    callers = [Caller(server, number) for number in range(CLIENTS)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert [one.failure for one in callers if one.failure] == []
    found = runs(one for caller in callers for one in caller.found)
    assert sum(len(group) for group in found.values()) == CLIENTS * ROUNDS
    assert list(found) == list(range(1, len(found) + 1))
    for group in found.values():
        assert len(group) == 1 or group[0].run_rows <= 8, group
    if minimum:
        merged = [group for group in found.values() if len(group) > 1]
        assert any({one.key for one in group} >= {"plain", "persisting"} for group in merged)
