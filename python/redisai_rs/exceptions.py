"""The errors of this package; each text is one line that says what to do.

An error of a run has the text that the server replies for the same fault.
"""

from __future__ import annotations

import builtins


class Error(Exception):
    """Base of every error that this package raises itself.

    Examples
    --------
    >>> try:
    ...     engine.load("nothing.onnx")
    ... except rai.Error as error:
    ...     print(error)
    nothing.onnx cannot be read: No such file or directory
    """


class NotInstalledError(Error):
    """Something that the call needs is not installed.

    Examples
    --------
    >>> issubclass(rai.BackendMissingError, rai.NotInstalledError)
    True
    """


class BackendMissingError(NotInstalledError):
    """A backend, or the framework that it needs, could not be loaded.

    Examples
    --------
    >>> try:
    ...     model = engine.load("digits.onnx")
    ... except rai.BackendMissingError as error:
    ...     print(error)  # says what to install
    """


class InvalidModelError(Error, ValueError):
    """A model or a script that its framework refuses.

    Examples
    --------
    >>> engine.load(b"something else")
    Traceback (most recent call last):
        ...
    redisai_rs.exceptions.InvalidModelError: the model's format was not recognised: \
say backend='ONNX', 'TORCH', 'TF' or 'TFLITE'
    """


class UnsupportedError(Error):
    """A device, element type or format that a backend cannot use.

    Examples
    --------
    >>> try:
    ...     model = engine.load("digits.onnx", device="GPU:99")
    ... except rai.UnsupportedError as error:
    ...     print(error)
    ERR GPU requested but ONNX couldn't find CUDA
    """


class InputError(Error, ValueError):
    """Inputs that are no tensors, or that do not fit the model: number, shape or element type.

    Examples
    --------
    >>> rai.Tensor([[1, 2], [3]])
    Traceback (most recent call last):
        ...
    redisai_rs.exceptions.InputError: the lists are ragged: those of one depth must have one length
    """


class RunError(Error):
    """A run that failed.

    Examples
    --------
    >>> source = '''
    ... def refuse(tensors: List[Tensor], keys: List[str], args: List[str]):
    ...     assert args[0] == "please", "say please"
    ...     return tensors[0]
    ... '''
    >>> script = engine.script(source, ["refuse"])
    >>> try:
    ...     script.run("refuse", [1], args=["now"])
    ... except rai.RunError as error:
    ...     print("say please" in str(error))
    True
    """


class TimeoutError(Error, builtins.TimeoutError):
    """The time that the caller gave was over first.

    Examples
    --------
    >>> model = engine.load("digits.onnx", batch_size=8, min_batch_size=8)
    >>> model.run(np.zeros((1, 64), np.float32), timeout=0.01)  # waits for seven more rows
    Traceback (most recent call last):
        ...
    redisai_rs.exceptions.TimeoutError: TIMEDOUT
    """


class QueueFullError(Error):
    """The device's queue is full: the request was not taken.

    Examples
    --------
    >>> small = rai.Engine(queue_limit=1)
    >>> model = small.load("digits.onnx", batch_size=8, min_batch_size=8)
    >>> waits = model.submit(np.zeros((1, 64), np.float32))
    >>> model.submit(np.zeros((1, 64), np.float32))
    Traceback (most recent call last):
        ...
    redisai_rs.exceptions.QueueFullError: ERR Queue of device CPU is full
    >>> small.close()
    """


class OutOfMemoryError(Error, MemoryError):
    """An allocation was refused.

    Examples
    --------
    >>> issubclass(rai.OutOfMemoryError, MemoryError)
    True
    """


class ServerError(Error):
    """A server could not be started, or is not in the state that was asked for.

    Examples
    --------
    >>> from redisai_rs.testing import Server
    >>> Server("/nowhere/redis-server")
    Traceback (most recent call last):
        ...
    redisai_rs.exceptions.ServerError: no server at /nowhere/redis-server: give the path of \
redis-server or valkey-server
    """


class ServerCrashedError(ServerError):
    """A server ended by a crash; the text holds the end of its log.

    Examples
    --------
    >>> import os, signal
    >>> from redisai_rs.testing import Server
    >>> server = Server().start()
    >>> os.kill(server.pid, signal.SIGKILL)
    >>> _ = server.process.wait()
    >>> try:
    ...     server.close()
    ... except rai.exceptions.ServerCrashedError as error:
    ...     print(str(error).splitlines()[0])
    the server crashed with status -9; the end of its log:
    """


class ReplyError(Error):
    """A server answered with an error; the text is the server's.

    Examples
    --------
    >>> from redisai_rs.testing import Server
    >>> with Server() as server:
    ...     server.execute("AI.TENSORGET", "nothing")
    Traceback (most recent call last):
        ...
    redisai_rs.exceptions.ReplyError: ERR tensor key is empty or in a different shard
    """
