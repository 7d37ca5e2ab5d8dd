"""The backends: their libraries beside the module, and the frameworks that they need."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from redisai_rs import _core, torch_shim
from redisai_rs.exceptions import NotInstalledError
from redisai_rs.paths import module_path

_TIMEOUT = 120.0


@dataclass(frozen=True)
class Backend:
    """What was found of a backend."""

    name: str
    """As commands name it: `ONNX`."""
    library: str
    """Path of our library."""
    framework: str
    """Path of the framework's library, empty where it was not found."""
    framework_version: str
    """Version of the framework, empty where it is not known."""
    searched: list[str]
    """Where the framework was looked for, in order."""
    problem: str
    """Why it cannot run and what to do, in one line; empty where nothing speaks against it."""

    @property
    def usable(self) -> bool:
        """Whether it can run, as far as was tried."""
        return not self.problem


def discover(module: Path | None = None) -> list[Backend]:
    """Looks for each backend as the module would; loads nothing.

    module: path of the module; by default this package's.
    """
    found = _core.discover_backends(module or module_path())
    return [Backend(**facts) for facts in found]


def probe(backend: Backend, module: Path | None = None) -> Backend:
    """Loads a backend in a process of its own and says what came of it."""
    if not backend.usable:
        return backend
    command = [sys.executable, "-m", "redisai_rs.backends", backend.name]
    command.append(str(module or module_path()))
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return replace(backend, problem=f"it did not start within {_TIMEOUT:g} s")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return replace(backend, problem=f"it ended its process by {name}: {_last(done.stderr)}")
    if done.returncode > 0:
        return replace(backend, problem=_last(done.stderr))
    return replace(backend, **json.loads(done.stdout))


def shim_of(backend: Backend) -> torch_shim.Shim:
    """The shim that the torch backend needs for the torch that was found."""
    if not backend.framework:
        raise NotInstalledError(backend.problem or "torch was not found")
    # …/site-packages/torch/lib/libtorch_cpu.so
    torch = Path(backend.framework).parents[1]
    return torch_shim.Shim(Path(backend.library).parent / "shim", torch)


def build_shim(
    backend: Backend, say: Callable[[str], None], folder: Path | None = None
) -> tuple[Path, bool]:
    """Builds the shim of the torch backend unless it is there.

    say: is told what goes on. folder: where to; by default the user's cache. Gives the file and
    whether it was built now.
    """
    try:
        shim = shim_of(backend)
        places = [folder] if folder else [Path(backend.library).parent, torch_shim.cache()]
        for place in places:
            if (place / shim.name()).is_file():
                return place / shim.name(), False
        return torch_shim.build(shim, places[-1], say), True
    except (torch_shim.ShimError, OSError) as error:
        raise NotInstalledError(str(error)) from error


def ensure_shims(say: Callable[[str], None], module: Path | None = None) -> None:
    """Builds the shims of all backends whose framework is there."""
    for backend in discover(module):
        if backend.name == "TORCH" and backend.usable:
            build_shim(backend, say)


def _last(text: str) -> str:
    return next(reversed(text.splitlines()), "it said nothing")


def _main(name: str, module: str) -> None:
    """The process of its own."""
    try:
        print(json.dumps(_core.load_backend(name, module)))
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(*sys.argv[1:])
