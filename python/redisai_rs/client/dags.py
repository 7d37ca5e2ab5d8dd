"""Several operations in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from redisai_rs.client import errors, values
from redisai_rs.client.command import (
    Argument,
    Command,
    Key,
    Reply,
    check,
    counted,
    many,
    text,
    timeout_words,
    word,
)
from redisai_rs.client.scripts import sections
from redisai_rs.exceptions import InputError
from redisai_rs.run import Result, Value

Outputs = dict[str, Result]
R = TypeVar("R")


@dataclass(frozen=True)
class Form:
    """How a kind of DAG is written."""

    command: str
    model: str = "AI.MODELEXECUTE"
    script: str = "AI.SCRIPTEXECUTE"
    counts: bool = True
    """Whether lists of names say how many they are."""


EXECUTE = Form("AI.DAGEXECUTE")
EXECUTE_RO = Form("AI.DAGEXECUTE_RO")
RUN = Form("AI.DAGRUN", "AI.MODELRUN", "AI.SCRIPTRUN", counts=False)
RUN_RO = Form("AI.DAGRUN_RO", "AI.MODELRUN", "AI.SCRIPTRUN", counts=False)


class Dag(Generic[R]):
    """Operations that go to the server as one request; made by `Client.dag`.

    Each method adds one and gives the DAG, so that they can be written one behind the other.
    Tensors are names inside the DAG, models and scripts are keys.

    Examples
    --------
    >>> client.model_store("m", "digits.onnx")
    >>> dag = client.dag(routing="m").tensor("x", np.zeros((1, 64), np.float32))
    >>> dag.model("m", ["x"], ["digit", "p"]).get("p").run()["p"].shape
    (1, 10)
    """

    def __init__(
        self,
        execute: Callable[[Command[Outputs]], R],
        form: Form,
        load: Sequence[Key],
        persist: Sequence[Key],
        routing: Key | None,
    ):
        self._execute = execute
        self._form = form
        self._head: list[Argument] = [form.command]
        if load:
            self._head += counted("LOAD", load)
        if persist:
            self._head += counted("PERSIST", persist)
        if routing is not None:
            self._head += ["ROUTING", word(routing)]
        self._ops: list[list[Argument]] = []
        # Names of the tensors that operations ask for, at the operations' places.
        self._wanted: dict[int, str] = {}

    def tensor(
        self,
        name: Key,
        value: Value | None = None,
        *,
        dtype: str | None = None,
        shape: Sequence[int] | None = None,
    ) -> Dag[R]:
        """Gives a tensor a name (`AI.TENSORSET`); arguments as those of `Client.tensor_set`.

        Examples
        --------
        >>> client.dag(routing="t").tensor("x", [1, 2], dtype="INT8").get("x").run()
        {'x': array([1, 2], dtype=int8)}
        """
        return self._add("AI.TENSORSET", word(name), *values.words_of(value, dtype, shape))

    def model(self, key: Key, inputs: Sequence[Key], outputs: Sequence[Key]) -> Dag[R]:
        """Runs a model (`AI.MODELEXECUTE`).

        Examples
        --------
        >>> client.model_store("m", "digits.onnx")
        >>> dag = client.dag(routing="m").tensor("x", dtype="FLOAT", shape=(1, 64))
        >>> dag.model("m", ["x"], ["digit", "p"]).get("digit").run()["digit"].shape
        (1,)
        """
        return self._add(self._form.model, word(key), *self._lists(inputs, outputs))

    def script(
        self,
        key: Key,
        function: str,
        inputs: Sequence[Key] = (),
        outputs: Sequence[Key] = (),
        *,
        keys: Sequence[Key] = (),
        args: Sequence[Key] = (),
    ) -> Dag[R]:
        """Runs a function of a script (`AI.SCRIPTEXECUTE`).

        Examples
        --------
        >>> client.script_store("s", source, ["double"])
        >>> dag = client.dag(routing="s").tensor("x", [1.5, 2])
        >>> dag.script("s", "double", ["x"], ["y"]).get("y").run()
        {'y': array([3., 4.])}
        """
        if self._form.counts:
            rest = sections(inputs, outputs, keys, args)
        elif keys or args:
            raise InputError("a script in a DAG of the deprecated form takes no keys and no args")
        else:
            rest = self._lists(inputs, outputs)
        return self._add(self._form.script, word(key), word(function), *rest)

    def get(self, name: Key, *, values: bool = False) -> Dag[R]:
        """Wants a tensor in the result (`AI.TENSORGET`): as it is now, if the name is given again.

        `values` is needed for strings that hold a NUL, as for `Client.tensor_get`.

        Examples
        --------
        >>> dag = client.dag(routing="t").tensor("x", ["a\\0b"]).get("x", values=True)
        >>> dag.run()["x"].tolist()
        [b'a\\x00b']
        """
        self._wanted[len(self._ops)] = text(name)
        return self._add("AI.TENSORGET", word(name), *(["META", "VALUES"] if values else []))

    def run(self, timeout: float | None = None) -> R:
        """Sends all operations.

        Parameters
        ----------
        timeout
            Seconds for all of them; afterwards `redisai_rs.TimeoutError`.

        Returns
        -------
        The tensors that `get` has named, as `Client.tensor_get` gives them; `None` where a model
        gave no tensor. In a pipeline: the pipeline.

        Raises
        ------
        Error
            That of the first operation, by position, that failed.

        Examples
        --------
        >>> client.dag(persist=["x"]).tensor("x", [1]).run(timeout=60)
        {}
        """
        args = [*self._head, *timeout_words(timeout)]
        for op in self._ops:
            args += ["|>", *op]
        return self._execute(Command(args, self._outputs))

    def _add(self, *op: Argument) -> Dag[R]:
        self._ops.append(list(op))
        return self

    def _lists(self, inputs: Sequence[Key], outputs: Sequence[Key]) -> list[Argument]:
        if self._form.counts:
            return [*counted("INPUTS", inputs), *counted("OUTPUTS", outputs)]
        return ["INPUTS", *many(inputs), "OUTPUTS", *many(outputs)]

    def _outputs(self, reply: Reply) -> Outputs:
        # Behind the first error there is nothing but NA.
        for one in check(reply):
            if isinstance(one, Exception):
                raise errors.of(one, self._form.command) from one
        found = {name: reply[place] for place, name in self._wanted.items()}
        return {name: _tensor(name, one) for name, one in found.items()}


def _tensor(name: str, reply: Reply) -> Result:
    if reply in (b"NA", "NA"):
        return None
    if values.is_ambiguous(reply):
        raise InputError(f"a string of {name!r} holds a NUL: get it with values=True")
    return values.array_of(reply)


class Dags(Generic[R]):
    """The methods of a client that make a DAG."""

    def _run_dag(self, command: Command[Outputs]) -> R:
        raise NotImplementedError

    def dag(
        self, *, load: Sequence[Key] = (), persist: Sequence[Key] = (), routing: Key | None = None
    ) -> Dag[R]:
        """A new, empty DAG (`AI.DAGEXECUTE`); the server wants at least one of the three.

        Parameters
        ----------
        load
            Keys of the tensors that its operations read.
        persist
            Names of tensors that become keys.
        routing
            A word that says to which slot of a cluster it belongs.

        Examples
        --------
        >>> client.dag(persist=["x"]).tensor("x", [1, 2]).get("x").run()
        {'x': array([1, 2])}
        """
        return Dag(self._run_dag, EXECUTE, load, persist, routing)

    def dag_ro(self, *, load: Sequence[Key] = (), routing: Key | None = None) -> Dag[R]:
        """As `dag`, storing nothing: it may run on a replica (`AI.DAGEXECUTE_RO`).

        Examples
        --------
        >>> client.dag_ro(routing="t").tensor("x", [1, 2]).get("x").run()
        {'x': array([1, 2])}
        """
        return Dag(self._run_dag, EXECUTE_RO, load, (), routing)

    def dag_run(
        self, *, load: Sequence[Key] = (), persist: Sequence[Key] = (), routing: Key | None = None
    ) -> Dag[R]:
        """As `dag`, by the deprecated `AI.DAGRUN`, which needs none of the three.

        Examples
        --------
        >>> client.dag_run().tensor("x", [1, 2]).get("x").run()
        {'x': array([1, 2])}
        """
        return Dag(self._run_dag, RUN, load, persist, routing)

    def dag_run_ro(self, *, load: Sequence[Key] = (), routing: Key | None = None) -> Dag[R]:
        """As `dag_run`, storing nothing, by the deprecated `AI.DAGRUN_RO`.

        Examples
        --------
        >>> client.dag_run_ro().tensor("x", [1, 2]).get("x").run()
        {'x': array([1, 2])}
        """
        return Dag(self._run_dag, RUN_RO, load, (), routing)
