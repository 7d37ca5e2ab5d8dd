"""An engine in the tests' own process."""

from collections.abc import Iterator

import pytest
from redisai_rs import Engine


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine with one thread for each run."""
    with Engine(intra_op_threads=1, inter_op_threads=1) as engine:
        yield engine
