"""Several operations in one request, with no key or array between them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from redisai_rs import _core
from redisai_rs.exceptions import InputError
from redisai_rs.run import Done, Result, Run, Value, as_bytes, submitted

if TYPE_CHECKING:
    from redisai_rs.model import Model
    from redisai_rs.script import Script

Op = tuple[_core.Model, str | None, list[bytes], list[bytes], list[int], list[int]]


class Dag:
    """Operations of `AI.DAGEXECUTE`; made by `Engine.dag`.

    Each method adds one and gives the DAG, so that they can be written one behind the other. An
    operation begins as soon as its inputs are there, so those that do not need each other run side
    by side; scripts keep their order. A name may be given again: an operation reads the latest
    before it.

    A DAG may be run any number of times, with the same tensors.

    Examples
    --------
    >>> model = engine.load("digits.onnx")
    >>> dag = engine.dag().tensor("x", np.zeros((2, 64), np.float32))
    >>> dag = dag.model(model, ["x"], ["digit", "p"]).get("p")
    >>> {name: value.shape for name, value in dag.run().items()}
    {'p': (2, 10)}
    """

    def __init__(self, core: _core.Engine):
        self._core = core
        self._slots: dict[str, int] = {}
        self._count = 0
        self._given: list[tuple[int, Value]] = []
        self._ops: list[Op] = []
        self._made: dict[str, int] = {}
        self._wanted: dict[str, int] = {}

    def tensor(self, name: str, value: Value) -> Dag:
        """Gives a tensor a name (`TENSORSET`).

        Examples
        --------
        >>> engine.dag().tensor("x", [1.5, 2.0]).get("x").run()
        {'x': array([1.5, 2. ])}
        """
        self._given.append((self._new(name), value))
        return self

    def model(self, model: Model, inputs: Sequence[str], outputs: Sequence[str]) -> Dag:
        """Runs a model (`MODELEXECUTE`).

        Parameters
        ----------
        model
            A model of this engine.
        inputs
            Names that operations before this one have given, in the model's order.
        outputs
            Names for what it makes, in the model's order.

        Raises
        ------
        InputError
            No operation before this one gives an input's name.

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> dag = engine.dag().tensor("x", np.zeros((2, 64), np.float32))
        >>> dag.model(model, ["x"], ["digit", "p"]).run()["digit"].shape
        (2,)
        """
        return self._run(model._core, None, inputs, outputs, (), ())

    def script(
        self,
        script: Script,
        function: str,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        *,
        keys: Sequence[str | bytes] = (),
        args: Sequence[str | bytes] = (),
    ) -> Dag:
        """Runs a function of a script (`SCRIPTEXECUTE`).

        Parameters
        ----------
        script
            A script of this engine.
        function
            One of its entry points.
        inputs, outputs
            As those of `model`.
        keys, args
            What the function gets as its lists of strings.

        Raises
        ------
        InputError
            No operation before this one gives an input's name.

        Examples
        --------
        >>> source = '''
        ... def double(tensors: List[Tensor], keys: List[str], args: List[str]):
        ...     return tensors[0] * 2
        ... '''
        >>> script = engine.script(source, ["double"])
        >>> engine.dag().tensor("x", [1.5]).script(script, "double", ["x"], ["y"]).run()
        {'y': array([3.])}
        """
        return self._run(script._core, function, inputs, outputs, keys, args)

    def get(self, name: str) -> Dag:
        """Wants a tensor in the result (`TENSORGET`): as it is now, if the name is given again.

        Examples
        --------
        >>> engine.dag().tensor("x", [1]).get("x").tensor("x", [2]).run()
        {'x': array([1])}
        """
        self._wanted[name] = self._slot(name)
        return self

    def run(self, timeout: float | None = None) -> dict[str, Result]:
        """Runs all operations and waits, without the GIL.

        Parameters
        ----------
        timeout
            Seconds for all of them; afterwards `redisai_rs.TimeoutError`.

        Returns
        -------
        dict
            Name -> array: the tensors that `get` has named; without any, all that operations have
            made.

        Raises
        ------
        Error
            That of the first operation, by position, that failed.

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> dag = engine.dag().tensor("x", np.zeros((2, 64), np.float32))
        >>> sorted(dag.model(model, ["x"], ["digit", "p"]).run(timeout=60))
        ['digit', 'p']
        """
        return self.submit(timeout).result()  # type: ignore[no-any-return]

    def submit(self, timeout: float | None = None) -> Run:
        """Hands all operations in and gives a `Future` of what `run` gives.

        Examples
        --------
        >>> engine.dag().tensor("x", [1.5]).get("x").submit().result(timeout=60)
        {'x': array([1.5])}
        """
        wanted = dict(self._wanted or self._made)
        slots = list(wanted.values())

        def take(done: Done) -> _core.Job:
            return self._core.submit_dag(
                self._count, self._given, self._ops, slots, done, timeout=timeout
            )

        return submitted(take, lambda values: dict(zip(wanted, values, strict=True)))

    async def run_async(self, timeout: float | None = None) -> dict[str, Result]:
        """As `run`, for `asyncio`.

        Examples
        --------
        >>> import asyncio
        >>> asyncio.run(engine.dag().tensor("x", [1.5]).get("x").run_async())
        {'x': array([1.5])}
        """
        return await asyncio.wrap_future(self.submit(timeout))

    def _run(
        self,
        model: _core.Model,
        function: str | None,
        inputs: Sequence[str],
        outputs: Sequence[str],
        keys: Sequence[str | bytes],
        args: Sequence[str | bytes],
    ) -> Dag:
        for names in (inputs, outputs):
            if isinstance(names, str):
                raise InputError(f"{names!r} is one name: give a list of names")
        read = [self._slot(name) for name in inputs]
        written = [self._new(name) for name in outputs]
        self._made |= dict(zip(outputs, written, strict=True))
        self._ops.append((model, function, as_bytes(keys), as_bytes(args), read, written))
        return self

    def _slot(self, name: str) -> int:
        if name not in self._slots:
            raise InputError(f"no operation before this one gives a tensor the name {name!r}")
        return self._slots[name]

    def _new(self, name: str) -> int:
        self._slots[name] = self._count
        self._count += 1
        return self._slots[name]
