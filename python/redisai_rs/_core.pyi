from pathlib import Path
from typing import TypedDict

__version__: str

class FoundBackend(TypedDict):
    name: str
    library: str
    framework: str
    framework_version: str
    searched: list[str]
    problem: str

class LoadedBackend(TypedDict):
    framework_version: str
    framework: str

def build_info() -> dict[str, str]: ...
def discover_backends(module: str | Path) -> list[FoundBackend]: ...
def load_backend(name: str, module: str | Path) -> LoadedBackend: ...
