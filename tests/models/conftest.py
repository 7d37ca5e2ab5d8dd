"""What the tests of models compare with is onnxruntime's Python API: it has to be the server's."""

from __future__ import annotations

from collections.abc import Iterator

import onnxruntime
import pytest
from redisai_rs.testing import Server


@pytest.fixture(autouse=True)
def same_version(request: pytest.FixtureRequest) -> Iterator[None]:
    """Says what is wrong where the server has loaded another version."""
    server: Server | None = None
    if "client" in request.fixturenames:
        server = request.getfixturevalue("server")
    yield
    if server:
        loaded = server.info("ai").get("ai_onnxruntime_version", onnxruntime.__version__)
        assert loaded == onnxruntime.__version__, (
            "the tests compare with another onnxruntime: run them with the Python that "
            "REDISAI_PYTHON names, as `make test-frameworks` does"
        )
