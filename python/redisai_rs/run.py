"""What goes into a run and comes out of it, and the `Future` of one that was handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from redisai_rs import _core

Value = Any
"""What a tensor is made of: a NumPy array, an object with `__dlpack__` (a tensor of PyTorch) or the
buffer protocol, a number, a string or `bytes`, or a nested list of them. Not copied where it lies
row-major in the CPU's memory. Numbers and lists, which have no element type, get the model's."""

Result = Any
"""A NumPy array over the output's own memory, which is not to be written to: `numpy.array(result)`
makes a copy that is. Strings come as an array of `bytes` objects; bfloat16 as `ml_dtypes` has it,
or where that is not installed as uint16 of the same bits. Without NumPy: a `Tensor`."""

Done = Callable[[Any, BaseException | None], None]


class Run(Future[Result]):
    """A run that was handed in: a `concurrent.futures.Future` of what `run` would give.

    Callbacks run on a thread of the engine, which they should not hold up.

    Examples
    --------
    >>> run = engine.load("digits.onnx").submit(np.zeros((2, 64), np.float32))
    >>> run.result(timeout=60).digit.shape
    (2,)
    >>> run.done(), run.cancelled()
    (True, False)
    """

    _job: _core.Job | None = None

    def cancel(self) -> bool:
        """Gives the run up: it never begins if it has not; its outputs are dropped if it has.

        Returns
        -------
        bool
            Whether it was given up: no, where its result is there already.

        Examples
        --------
        >>> model = engine.load("digits.onnx", batch_size=8, min_batch_size=8)
        >>> run = model.submit(np.zeros((1, 64), np.float32))  # waits for seven more rows
        >>> run.cancel(), run.cancelled()
        (True, True)
        """
        cancelled = super().cancel()
        if cancelled and self._job is not None:
            self._job.gone()
        return cancelled

    def _done(self, value: Result, error: BaseException | None) -> None:
        if not self.set_running_or_notify_cancel():
            return
        if error is None:
            self.set_result(value)
        else:
            self.set_exception(error)


def submitted(take: Callable[[Done], _core.Job], shape: Callable[[Any], Result]) -> Run:
    """Hands a run in by `take` and gives its future, whose result `shape` makes of the outputs."""
    run = Run()

    def done(value: Any, error: BaseException | None) -> None:
        run._done(None if error is not None else shape(value), error)

    run._job = take(done)
    return run


def as_bytes(words: Sequence[str | bytes]) -> list[bytes]:
    """The bytes of texts."""
    return [word.encode() if isinstance(word, str) else word for word in words]
