"""The engine in this process: models and scripts without a server.

The same queues, batches, deadlines and backends as in the Redis module. A process may have several
engines; a backend is loaded once, with the thread numbers of the engine that needed it first.
"""

from __future__ import annotations

import atexit
import os
import sysconfig
from collections.abc import Sequence
from types import TracebackType

from redisai_rs import _core, formats, paths, sources
from redisai_rs.dag import Dag
from redisai_rs.model import Model
from redisai_rs.run import Run
from redisai_rs.script import Script

atexit.register(_core.ending)
os.register_at_fork(after_in_child=_core.forked_child)


class Engine:
    """Models and scripts in this process.

    Parameters
    ----------
    threads_per_queue
        Workers of each device, for runs that are queued.
    intra_op_threads, inter_op_threads
        Threads of one run; 0: as many as the machine has cores.
    queue_limit
        Runs that may wait for one device; beyond it `QueueFullError`.
    model_execution_timeout
        The longest run in seconds. `None`: 5 for ONNX, no limit for the others.
    batch_wait
        Whether a batch may wait a moment for more rows, where that was seen to pay.

    Examples
    --------
    >>> with rai.Engine(intra_op_threads=1) as engine:
    ...     model = engine.load("digits.onnx")
    ...     digit, probabilities = model.run(np.zeros((2, 64), np.float32))
    >>> probabilities.shape
    (2, 10)
    """

    def __init__(
        self,
        *,
        threads_per_queue: int = 1,
        intra_op_threads: int = 0,
        inter_op_threads: int = 0,
        queue_limit: int = 65_536,
        model_execution_timeout: float | None = None,
        batch_wait: bool = True,
    ):
        limit = model_execution_timeout
        self._core = _core.Engine(
            paths.module_path(),
            sysconfig.get_path("platlib"),
            threads_per_queue=threads_per_queue,
            intra_op_threads=intra_op_threads,
            inter_op_threads=inter_op_threads,
            queue_limit=queue_limit,
            model_execution_timeout_ms=None if limit is None else round(limit * 1000),
            batch_wait=batch_wait,
        )

    def load(
        self,
        source: sources.Source,
        *,
        backend: str | None = None,
        device: str = "CPU",
        batch_size: int = 0,
        min_batch_size: int = 0,
        min_batch_timeout: float = 0,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        tag: str = "",
        name: str | None = None,
        signature: str | None = None,
    ) -> Model:
        """Loads a model.

        Parameters
        ----------
        source
            A path (of a SavedModel: its directory), the model's bytes (`bytes` are kept in place),
            or a file object.
        backend
            `ONNX`, `TORCH`, `TF` or `TFLITE`; left out, the content says it.
        device
            `CPU`, `GPU` or `GPU:n`.
        batch_size
            Rows of several requests that one run may take; 0: every request runs alone.
        min_batch_size, min_batch_timeout
            Rows that a run waits for, and for how many seconds at most (0: without end).
        inputs, outputs
            Names of the graph's nodes, for TF.
        tag
            A label.
        name
            By which scripts of this engine call the model (`redisAI.model_execute`); the engine
            keeps it until `forget`.
        signature
            Which of a TFLite model's signatures `run` runs, if not the default one. Its requests
            share no runs. (For TF `inputs` and `outputs` say it.)

        Raises
        ------
        InputError
            The model has no such signature; the text names those that it has.
        InvalidModelError
            The file is no model, or its framework refuses it.
        BackendMissingError
            The framework is not installed; `redisai-rs doctor` says where it was looked for.

        Examples
        --------
        >>> engine.load("digits.onnx", batch_size=32)
        <redisai_rs.Model ONNX on CPU>
        >>> engine.load("digits.pb", inputs=["pixels"], outputs=["digit", "probabilities"])
        <redisai_rs.Model TF on CPU>
        """
        blob = sources.read(source)
        backend = formats.backend_of(blob) if backend is None else backend
        return Model(
            self._core.load(
                blob,
                backend=backend,
                device=device,
                batch_size=batch_size,
                min_batch_size=min_batch_size,
                min_batch_timeout_ms=round(min_batch_timeout * 1000),
                inputs=list(inputs),
                outputs=list(outputs),
                tag=tag,
                name=name,
                signature=signature,
            )
        )

    def script(
        self,
        source: str,
        entry_points: Sequence[str],
        *,
        device: str = "CPU",
        tag: str = "",
        name: str | None = None,
    ) -> Script:
        """Compiles a TorchScript source.

        An entry point is a function of `(tensors: List[Tensor], keys: List[str], args: List[str])`.
        `redis.execute` is an error here: there is no server.

        Parameters
        ----------
        source
            The source's text.
        entry_points
            The functions in it that `Script.run` may call.
        device, tag, name
            As those of `load`.

        Raises
        ------
        InvalidModelError
            The source does not compile.
        BackendMissingError
            PyTorch is not installed.

        Examples
        --------
        >>> source = '''
        ... def total(tensors: List[Tensor], keys: List[str], args: List[str]):
        ...     return tensors[0] + tensors[1]
        ... '''
        >>> engine.script(source, ["total"]).run("total", [1.5, 2.0], [3.0, 4.0])
        array([4.5, 6. ])
        """
        core = self._core.script(source, list(entry_points), device=device, tag=tag, name=name)
        return Script(core, entry_points)

    def dag(self) -> Dag:
        """A new, empty DAG of operations on this engine.

        Examples
        --------
        >>> model = engine.load("digits.onnx")
        >>> dag = engine.dag().tensor("x", np.zeros((2, 64), np.float32))
        >>> dag.model(model, ["x"], ["digit", "probabilities"]).run()["probabilities"].shape
        (2, 10)
        """
        return Dag(self._core)

    def forget(self, name: str) -> None:
        """Takes a name away from its model, which the engine no longer keeps.

        Raises
        ------
        KeyError
            No model has it.

        Examples
        --------
        >>> model = engine.load("digits.onnx", name="digits")
        >>> engine.forget("digits")
        """
        if not self._core.forget(name):
            raise KeyError(name)

    def queues(self) -> dict[str, dict[str, int]]:
        """For each device that is in use: runs that wait (`waiting`) and `workers`.

        Examples
        --------
        >>> engine.load("digits.onnx").submit(np.zeros((1, 64), np.float32)).result().digit.shape
        (1,)
        >>> engine.queues()
        {'CPU': {'waiting': 0, 'workers': 1}}
        """
        return self._core.queues()

    def close(self) -> None:
        """Ends the engine's threads. What waits fails, what runs is told to stop, results stay.

        Examples
        --------
        >>> short = rai.Engine()
        >>> short.close()
        >>> short.load("digits.onnx")
        Traceback (most recent call last):
            ...
        redisai_rs.exceptions.RunError: ERR The server is shutting down
        """
        self._core.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


__all__ = ["Dag", "Engine", "Model", "Run", "Script"]
