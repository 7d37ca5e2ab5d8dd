import sys
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, final

from redisai_rs._types import FoundBackend, LoadedBackend

__all__ = [
    "Engine",
    "Job",
    "Model",
    "Tensor",
    "__version__",
    "build_info",
    "discover_backends",
    "ending",
    "forked_child",
    "load_backend",
]

__version__: str

def build_info() -> dict[str, str]: ...
def discover_backends(module: str | PathLike[str]) -> list[FoundBackend]: ...
def load_backend(name: str, module: str | PathLike[str]) -> LoadedBackend: ...
def ending() -> None: ...
def forked_child() -> None: ...

@final
class Tensor:
    def __new__(cls, value: Any, *, dtype: str | None = None) -> Tensor: ...
    @staticmethod
    def of(dtype: str, shape: Sequence[int], data: Any) -> Tensor: ...
    def strings(self) -> list[bytes]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def nbytes(self) -> int: ...
    def numpy(self) -> Any: ...
    def tolist(self) -> Any: ...
    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Job:
    def gone(self) -> None: ...

@final
class Model:
    def run(self, values: tuple[Any, ...], outputs: int | None = None) -> Any: ...
    def run_function(
        self,
        function: str,
        values: tuple[Any, ...],
        outputs: int | None,
        keys: list[bytes],
        args: list[bytes],
    ) -> Any: ...
    def submit(
        self,
        values: tuple[Any, ...],
        done: Callable[[Any, BaseException | None], None],
        *,
        outputs: int | None = None,
        timeout: float | None = None,
        function: str | None = None,
        keys: list[bytes] = ...,
        args: list[bytes] = ...,
    ) -> Job: ...
    @property
    def is_direct(self) -> bool: ...
    @property
    def batches(self) -> bool: ...
    @property
    def backend(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def function(self) -> dict[str, Any]: ...
    def unload(self) -> None: ...
    def stats(self) -> dict[str, Any]: ...
    def reset_stats(self) -> None: ...

@final
class Engine:
    def __new__(
        cls,
        module: str | PathLike[str],
        site_packages: str | PathLike[str],
        *,
        threads_per_queue: int,
        intra_op_threads: int,
        inter_op_threads: int,
        queue_limit: int,
        model_execution_timeout_ms: int | None,
        batch_wait: bool,
    ) -> Engine: ...
    def load(
        self,
        source: Any,
        *,
        backend: str,
        device: str,
        batch_size: int,
        min_batch_size: int,
        min_batch_timeout_ms: int,
        inputs: list[str],
        outputs: list[str],
        tag: str,
        name: str | None,
        signature: str | None,
    ) -> Model: ...
    def script(
        self,
        source: str,
        entry_points: list[str],
        *,
        device: str,
        tag: str,
        name: str | None,
    ) -> Model: ...
    def submit_dag(
        self,
        slots: int,
        given: list[tuple[int, Any]],
        # Model, function, keys, arguments, slots that it reads, slots that it writes.
        ops: list[tuple[Model, str | None, list[bytes], list[bytes], list[int], list[int]]],
        wanted: list[int],
        done: Callable[[Any, BaseException | None], None],
        *,
        timeout: float | None = None,
    ) -> Job: ...
    def forget(self, name: str) -> bool: ...
    def close(self) -> None: ...
    def queues(self) -> dict[str, dict[str, int]]: ...
