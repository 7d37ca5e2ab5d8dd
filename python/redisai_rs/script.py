"""Scripts of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisai_rs import _core
from redisai_rs.run import Done, Result, Run, Value, as_bytes, submitted


class Script:
    """A TorchScript source that was compiled; made by `Engine.script`.

    Examples
    --------
    >>> source = '''
    ... def likeliest(tensors: List[Tensor], keys: List[str], args: List[str]):
    ...     return redisAI.model_execute(args[0], tensors, 2)[1].argmax(1)
    ... '''
    >>> model = engine.load("digits.onnx", name="digits")
    >>> script = engine.script(source, ["likeliest"])
    >>> script.run("likeliest", np.zeros((2, 64), np.float32), args=["digits"]).shape
    (2,)
    """

    __slots__ = ("_core", "entry_points")

    def __init__(self, core: _core.Model, entry_points: Sequence[str]):
        self._core = core
        self.entry_points = tuple(entry_points)
        """Functions that `run` calls."""

    def run(
        self,
        function: str,
        *inputs: Value,
        keys: Sequence[str | bytes] = (),
        args: Sequence[str | bytes] = (),
        outputs: int = 1,
        timeout: float | None = None,
    ) -> Result:
        """Runs a function and waits for its result, without the GIL.

        Parameters
        ----------
        function
            One of `entry_points`.
        *inputs
            Its tensors, in order.
        keys, args
            What it gets as its lists of strings.
        outputs
            How many tensors it returns.
        timeout
            Seconds; afterwards `redisai_rs.TimeoutError`.

        Returns
        -------
        numpy.ndarray or tuple of them
            As `Model.run`.

        Raises
        ------
        InputError
            There is no such function, or the inputs are no tensors.
        RunError
            The script raised an exception.

        Examples
        --------
        >>> source = '''
        ... def both(tensors: List[Tensor], keys: List[str], args: List[str]):
        ...     return [tensors[0] * int(args[0]), tensors[0].sum()]
        ... '''
        >>> engine.script(source, ["both"]).run("both", [1, 2], args=["10"], outputs=2)
        (array([10, 20]), array(3))
        """
        if timeout is not None:
            run = self.submit(
                function, *inputs, keys=keys, args=args, outputs=outputs, timeout=timeout
            )
            return run.result()
        words = as_bytes(keys), as_bytes(args)
        return _tupled(self._core.run_function(function, inputs, outputs, *words))

    def submit(
        self,
        function: str,
        *inputs: Value,
        keys: Sequence[str | bytes] = (),
        args: Sequence[str | bytes] = (),
        outputs: int = 1,
        timeout: float | None = None,
    ) -> Run:
        """Queues a run, as `run`, and gives a `Future` of its result.

        Examples
        --------
        >>> source = '''
        ... def half(tensors: List[Tensor], keys: List[str], args: List[str]):
        ...     return tensors[0] / 2
        ... '''
        >>> run = engine.script(source, ["half"]).submit("half", [1.0, 2.0])
        >>> run.result(timeout=60)
        array([0.5, 1. ])
        """

        def take(done: Done) -> _core.Job:
            return self._core.submit(
                inputs,
                done,
                outputs=outputs,
                timeout=timeout,
                function=function,
                keys=as_bytes(keys),
                args=as_bytes(args),
            )

        return submitted(take, _tupled)

    def stats(self) -> dict[str, Any]:
        """Counters, as `Model.stats`.

        Examples
        --------
        >>> source = '''
        ... def same(tensors: List[Tensor], keys: List[str], args: List[str]):
        ...     return tensors[0]
        ... '''
        >>> script = engine.script(source, ["same"])
        >>> _ = script.run("same", [1])
        >>> script.stats()["calls"]
        1
        """
        return self._core.stats()


def _tupled(result: Result) -> Result:
    return tuple(result) if type(result) is list else result
