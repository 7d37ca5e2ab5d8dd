"""Models of an engine."""

from __future__ import annotations

import asyncio
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

from redisai_rs import _core
from redisai_rs.exceptions import InputError
from redisai_rs.run import Done, Result, Run, Value, submitted


class _Outputs:
    """Gives several outputs the model's names."""

    def __init__(self, names: Sequence[str]):
        self.kind: Any = None
        if len(names) > 1:
            # Names that Python does not allow become their positions: _0, _1, …
            self.kind = namedtuple("Outputs", names, rename=True)  # type: ignore[misc]

    def __call__(self, result: Result) -> Result:
        if type(result) is not list:  # one output
            return result
        if self.kind is not None and len(result) == len(self.kind._fields):
            return self.kind(*result)
        return tuple(result)


class Model:
    """A model that was loaded; made by `Engine.load`.

    It may be run from any number of threads at a time.

    Examples
    --------
    >>> model = engine.load("digits.onnx")
    >>> model.backend, model.device, model.inputs, model.outputs
    ('ONNX', 'CPU', ['pixels'], ['digit', 'probabilities'])
    """

    __slots__ = ("_batches", "_core", "_direct", "_names", "_outputs")

    def __init__(self, core: _core.Model):
        self._core = core
        # Most runs need nothing more, and beside a small model's 3 µs each line of Python counts.
        self._direct = core.run if core.is_direct else None
        self._batches = core.batches
        self._names = tuple(value["name"] for value in self._values("inputs"))
        self._outputs = _Outputs(self.outputs)

    def run(
        self,
        *inputs: Value,
        outputs: int | None = None,
        timeout: float | None = None,
        **named: Value,
    ) -> Result:
        """Runs the model and waits for its result, without the GIL.

        A model without `batch_size` runs on the calling thread; with it, or with a `timeout`, the
        run is queued.

        Parameters
        ----------
        *inputs, **named
            The inputs, by position or by the model's names for them; a `dict` as the only one has
            them by names that Python does not allow.
        outputs
            How many outputs there are, where the model does not say.
        timeout
            Seconds; afterwards `redisai_rs.TimeoutError`.

        Returns
        -------
        numpy.ndarray or tuple of them
            A named tuple in the model's order where it has several outputs; `None` in place of an
            output that is no tensor. The arrays own their memory and are not to be written to.
            `Tensor` where NumPy is not installed.

        Raises
        ------
        InputError
            The inputs are no tensors, or do not fit the model.
        RunError
            The framework failed.
        TimeoutError
            `timeout` passed first.
        QueueFullError
            As many runs wait already as the engine's `queue_limit` allows.

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> x = np.zeros((2, 64), np.float32)
        >>> model.run(x).probabilities.shape
        (2, 10)
        >>> digit, probabilities = model.run(pixels=x, timeout=60)
        >>> digit.dtype
        dtype('int64')
        """
        if self._direct is not None and timeout is None and not named:
            result = self._direct(inputs, outputs)
            if result is not NotImplemented:
                return result
        inputs = self._in_order(inputs, named)
        if self._batches or timeout is not None:
            return self._submit(inputs, outputs, timeout).result()
        return self._outputs(self._core.run(inputs, outputs))

    def submit(
        self,
        *inputs: Value,
        outputs: int | None = None,
        timeout: float | None = None,
        **named: Value,
    ) -> Run:
        """Queues a run, as `run`, and gives a `Future` of its result.

        Raises
        ------
        QueueFullError
            As many runs wait already as the engine's `queue_limit` allows.

        Examples
        --------
        >>> model = engine.load("digits.onnx", batch_size=32)
        >>> runs = [model.submit(np.zeros((1, 64), np.float32)) for _ in range(4)]
        >>> [run.result(timeout=60).digit.shape for run in runs]
        [(1,), (1,), (1,), (1,)]
        """
        return self._submit(self._in_order(inputs, named), outputs, timeout)

    async def run_async(
        self,
        *inputs: Value,
        outputs: int | None = None,
        timeout: float | None = None,
        **named: Value,
    ) -> Result:
        """As `run`, for `asyncio`: the event loop goes on meanwhile.

        Examples
        --------
        >>> import asyncio
        >>> model = engine.load("digits.onnx")
        >>> asyncio.run(model.run_async(np.zeros((2, 64), np.float32))).digit.shape
        (2,)
        """
        run = self._submit(self._in_order(inputs, named), outputs, timeout)
        return await asyncio.wrap_future(run)

    @property
    def backend(self) -> str:
        """`ONNX`, `TORCH`, `TF` or `TFLITE`."""
        return self._core.backend

    @property
    def device(self) -> str:
        """The device, as it was given."""
        return self._core.device

    @property
    def inputs(self) -> list[str]:
        """The model's names of its inputs, in order."""
        return list(self._names)

    @property
    def outputs(self) -> list[str]:
        """The model's names of its outputs, in order."""
        return [value["name"] for value in self._values("outputs")]

    def stats(self) -> dict[str, Any]:
        """Counters since the model was loaded or `reset_stats`.

        `calls`, `errors`, `samples` (dimension 0 of the first output, summed), `duration_us`
        (inside the backend), `batches` (runs that served several requests), `late` (results after
        their deadline), `queued_us` and `ran_us` (percentiles, in microseconds).

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> _ = model.run(np.zeros((2, 64), np.float32))
        >>> model.stats()["calls"], model.stats()["samples"]
        (1, 2)
        """
        return self._core.stats()

    def reset_stats(self) -> None:
        """Sets all counters back to zero.

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> _ = model.run(np.zeros((2, 64), np.float32))
        >>> model.reset_stats()
        >>> model.stats()["calls"]
        0
        """
        self._core.reset_stats()

    def unload(self) -> None:
        """Gives the model's memory in its framework back, when the last of its runs has ended.

        Later runs, and those that have not begun, are `redisai_rs.RunError`; a model that nobody
        holds any more needs no `unload`.

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> model.unload()
        >>> model.run(np.zeros((2, 64), np.float32))
        Traceback (most recent call last):
            ...
        redisai_rs.exceptions.RunError: ERR the model was unloaded
        """
        self._core.unload()

    def __repr__(self) -> str:
        return f"<redisai_rs.Model {self.backend} on {self.device}>"

    def _values(self, which: str) -> list[dict[str, Any]]:
        values: list[dict[str, Any]] = self._core.function.get(which, [])
        return values

    def _submit(self, inputs: tuple[Value, ...], outputs: int | None, timeout: float | None) -> Run:
        def take(done: Done) -> _core.Job:
            return self._core.submit(inputs, done, outputs=outputs, timeout=timeout)

        return submitted(take, self._outputs)

    def _in_order(self, inputs: tuple[Value, ...], named: Mapping[str, Value]) -> tuple[Value, ...]:
        """Inputs by position, then those by name."""
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            named, inputs = {**inputs[0], **named}, ()
        if not named:
            return inputs
        rest = self._names[len(inputs) :]
        unknown = [name for name in named if name not in rest]
        missing = [name for name in rest if name not in named]
        if unknown or missing:
            what = f"no input {unknown[0]!r}" if unknown else f"input {missing[0]!r} is missing"
            raise InputError(f"{what}: the model's inputs are {', '.join(self._names)}")
        return (*inputs, *(named[name] for name in rest))
