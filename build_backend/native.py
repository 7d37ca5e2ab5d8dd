"""Builds the Redis module and the backend libraries and puts them into the Python package.

The PEP 517 backend beside this file calls it, and so does the Makefile:

    python build_backend/native.py env                  prints `export` lines for a shell
    python build_backend/native.py stage                builds what belongs into the wheel
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIB = ROOT / "python" / "redisai_rs" / "lib"

# cargo's name of each library -> its place beside the module, which is RedisAI's install tree.
PLACES = {
    "redisai": "redisai.so",
    "redisai_onnxruntime": "backends/redisai_onnxruntime/redisai_onnxruntime.so",
    "redisai_torch": "backends/redisai_torch/redisai_torch.so",
    "redisai_tflite": "backends/redisai_tflite/redisai_tflite.so",
    "redisai_tensorflow": "backends/redisai_tensorflow/redisai_tensorflow.so",
}
BACKENDS = ["onnx", "torch", "tflite", "tensorflow"]
PACKAGES = ["redisai-module", *(f"redisai-backend-{name}" for name in BACKENDS)]
# What lies beside a library as it is: its source -> its place. The shim of torch is compiled by the
# user, for the torch that is there.
SOURCES = {"crates/backend-torch/shim": "backends/redisai_torch/shim"}


def build_env() -> dict[str, str]:
    """Gives the variables of a build; what the caller has set is kept.

    Two let bindgen work without a system clang: libclang comes from PyPI, and since that wheel
    lacks clang's own headers, gcc's stand in. One tells the commit.
    """
    env: dict[str, str] = {}
    if "REDISAI_GIT_SHA" not in os.environ and (ROOT / ".git").exists():
        command = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if commit := done.stdout.strip():
            env["REDISAI_GIT_SHA"] = commit
    spec = importlib.util.find_spec("clang")
    if "LIBCLANG_PATH" not in os.environ and spec and spec.submodule_search_locations:
        native = Path(spec.submodule_search_locations[0]) / "native"
        if any(native.glob("libclang.*")):
            env["LIBCLANG_PATH"] = str(native)
    if "LIBCLANG_PATH" in env and "BINDGEN_EXTRA_CLANG_ARGS" not in os.environ:
        command = [os.environ.get("CC", "cc"), "-print-file-name=include"]
        headers = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        env["BINDGEN_EXTRA_CLANG_ARGS"] = f"-isystem {headers}"
    return env


def cargo_build(packages: list[str], *arguments: str) -> dict[str, Path]:
    """Builds packages with the release profile; gives each dynamic library by cargo's name."""
    command = ["cargo", "build", "--release", "--message-format=json-render-diagnostics"]
    command += [word for package in packages for word in ("-p", package)] + list(arguments)
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | build_env(), stdout=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        sys.exit(f"redisai-rs: `{shlex.join(command)}` failed; cargo's messages are above")
    found: dict[str, Path] = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and "cdylib" in message["target"]["kind"]:
            libraries = [name for name in message["filenames"] if name.endswith(".so")]
            found[message["target"]["name"]] = Path(libraries[0])
    return found


def place(source: Path, target: Path) -> None:
    """Copies a library, executable as servers ask for it, without touching one that is in use."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.chmod(0o755)
    # A rename leaves a running server the file that it has mapped.
    fresh.replace(target)


def stage() -> None:
    """Builds everything that belongs into the wheel and puts it into the package's `lib`."""
    built = cargo_build(PACKAGES)
    for name, where in PLACES.items():
        place(built[name], LIB / where)
    wanted = {LIB / where for where in PLACES.values()}
    for stale in set(LIB.rglob("*.so")) - wanted:
        stale.unlink()
    for source, where in SOURCES.items():
        shutil.rmtree(LIB / where, ignore_errors=True)
        shutil.copytree(ROOT / source, LIB / where)


def note_site_packages() -> None:
    """Writes down which site-packages an editable install belongs to.

    The module then lies in the source tree, so the place of the frameworks cannot be told from its
    own. An isolated build environment that is thrown away afterwards is not written down.
    """
    site_packages = Path(sysconfig.get_path("platlib"))
    throw_away = ("builds-v0", "pip-build-env", "build-env-")
    note = LIB / "site-packages.txt"
    if any(mark in part for part in site_packages.parts for mark in throw_away):
        note.unlink(missing_ok=True)
    else:
        note.write_text(f"{site_packages}\n")


def main(arguments: list[str]) -> int:
    """Runs a verb of the command line."""
    match arguments:
        case ["env"]:
            for name, value in build_env().items():
                print(f"export {name}={shlex.quote(value)}")
        case ["stage"]:
            stage()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
