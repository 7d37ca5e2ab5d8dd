from os import PathLike

from redisai_rs._types import FoundBackend, LoadedBackend

__all__ = ["__version__", "build_info", "discover_backends", "load_backend"]

__version__: str

def build_info() -> dict[str, str]: ...
def discover_backends(module: str | PathLike[str]) -> list[FoundBackend]: ...
def load_backend(name: str, module: str | PathLike[str]) -> LoadedBackend: ...
