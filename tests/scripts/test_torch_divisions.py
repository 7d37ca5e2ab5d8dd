"""Divisions of integers that end torch itself: here they are errors, or give the right value."""

from __future__ import annotations

import itertools
import json
import math
import signal
import subprocess
import sys

import pytest
import redis
from scripts.conftest import Torch

SMALLEST = -(2**63)
ZERO = "integer division or modulo by zero"
RANGE = "the quotient of integers is out of range"
# What torch alone dies of, `n` being 0, and what becomes of it here: a text or a value.
ENDS: dict[str, str | int] = {
    "7 % n": ZERO,
    "smallest(n) % n": ZERO,
    "7 % torch.tensor(n).item()": ZERO,
    "smallest(n) // (n - 1)": RANGE,
    "divmod(smallest(n), n - 1)[0]": RANGE,
    "torch.tensor(smallest(n)).item() // torch.tensor(n - 1).item()": RANGE,
    "int(torch.div(torch.tensor([smallest(n)]), n - 1, rounding_mode='trunc'))": RANGE,
    "int(torch.div(both(n), torch.tensor([1, n - 1]), rounding_mode='trunc')[0])": RANGE,
    "int(torch.divide(both(n).int() * 0 + torch.tensor([n - 2147483648]).int(),"
    " torch.tensor([n - 1]).int(), rounding_mode='trunc')[0])": RANGE,
    "int(both(n).div_(n - 1, rounding_mode='trunc')[0])": RANGE,
    "smallest(n) % (n - 1)": 0,
    "torch.gcd(smallest(n), n - 1)": 1,
    "torch.gcd(n - 1, smallest(n))": 1,
    # Computed when it is compiled.
    "7 % 0": ZERO,
    "(-9223372036854775807 - 1) // -1": RANGE,
    "(-9223372036854775807 - 1) % -1": 0,
}
HELPERS = """
def smallest(n: int):
    return n - 9223372036854775807 - 1

def both(n: int):
    return torch.tensor([smallest(n), smallest(n)])
"""
# Each in a child of its own: 0, or the signal that ended it.
ALONE = """
import json, os, sys, torch
helpers, sources = json.load(sys.stdin)
ended = []
for source in sources:
    child = os.fork()
    if child == 0:
        try:
            torch.jit.CompilationUnit(helpers + source).f(0)
        finally:
            os._exit(0)
    ended.append(os.WTERMSIG(os.waitpid(child, 0)[1]))
print(json.dumps(ended))
"""


def test_each_of_these_ends_torch_alone() -> None:
    """Otherwise the shim need not look at them any more."""
    sources = [f"def f(n: int):\n    return {expression}\n" for expression in ENDS]
    command = [sys.executable, "-W", "ignore", "-c", ALONE]
    given = json.dumps((HELPERS, sources))
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    assert dict(zip(ENDS, json.loads(done.stdout), strict=True)) == dict.fromkeys(
        ENDS, signal.SIGFPE
    )


def test_here_each_is_an_error_or_the_right_value(torch: Torch) -> None:
    body = "def f:\n    n = len(keys)\n    return torch.tensor([{}])\n"
    for expression, expected in ENDS.items():
        torch.store(body.format(expression) + HELPERS)
        if isinstance(expected, str):
            with pytest.raises(redis.ResponseError, match=expected):
                torch.run("f")
        else:
            assert torch.run("f") == b"OK", expression
            assert torch.client.execute_command("AI.TENSORGET", "out", "VALUES") == [expected]
    torch.server.assert_alive()


def test_all_other_quotients_are_those_of_python(torch: Torch) -> None:
    torch.store(
        """
def f:
    a, b = int(args[0]), int(args[1])
    c, d = divmod(a, b)
    t = torch.div(torch.tensor([a]), b, rounding_mode="trunc").item()
    return torch.tensor([a // b, a % b, c, d, math.gcd(a, b), int(t)])
"""
    )
    # Of larger divisors torch's own remainder overflows.
    dividends, divisors = [SMALLEST, SMALLEST + 1, -7, 0, 7, 2**63 - 1], [-(2**31), -2, -1, 1, 3]
    for a, b in itertools.product(dividends, divisors):
        if (a, b) == (SMALLEST, -1):
            continue
        assert torch.run("f", a, b) == b"OK"
        toward_zero = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        expected = [a // b, a % b, *divmod(a, b), math.gcd(a, b), toward_zero]
        assert torch.client.execute_command("AI.TENSORGET", "out", "VALUES") == expected, (a, b)
