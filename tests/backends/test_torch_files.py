"""What may be wrong with a model's file, torch's libraries, the shim; memory that runs out."""

import contextlib
import io
import os
import random
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import redis
from backends.torch_values import get, put, say
from redisai_rs import torch_shim

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ROOT / "crates" / "backend-torch" / "shim"
MUTATIONS = 1_000


class Steps(torch.nn.Module):
    """Weights, a loop, a branch, a list."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [x]
        for i in range(3):
            parts.append(self.linear(parts[i]))
        if len(parts) > 3:
            x = torch.cat(parts)
        return torch.relu(x)


class Hoards(torch.nn.Module):
    """Tensors without end, all of them kept."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = [x]
        while len(kept) > 0:
            kept.append(x.repeat(1_000_000))
        return kept[-1]


def archive(module: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module.eval()), buffer)
    return buffer.getvalue()


def test_a_thousand_mutations_of_an_archive(make_server):
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 500])
    client = server.client()
    put(client, "x", np.ones((2, 4)))
    whole = archive(Steps())
    numbers = random.Random(5)
    stored = 0
    for _ in range(MUTATIONS):
        blob = bytearray(whole)
        for _ in range(numbers.randint(1, 3)):
            blob[numbers.randrange(len(blob))] = numbers.randrange(256)
        try:
            say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", bytes(blob))
        except redis.ResponseError:
            continue
        stored += 1
        with contextlib.suppress(redis.ResponseError):
            run = ["INPUTS", 1, "x", "OUTPUTS", 1, "y", "TIMEOUT", 5_000]
            say(client, "AI.MODELEXECUTE", "m", *run)
    # Some do no harm, most do.
    assert 0 < stored < MUTATIONS / 2
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", whole)
    assert say(client, "AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y") == b"OK"


def test_tensors_without_end_end_at_the_limit(make_server):
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 200])
    client = server.client()
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", archive(Hoards()))
    put(client, "x", np.ones(1))
    for _ in range(3):
        with pytest.raises(redis.ResponseError, match="Torch memory limit exceeded"):
            say(client, "AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
        assert client.info("ai")["ai_torch_memory"] < 1 << 20
    assert client.info("memory")["used_memory"] < 100 << 20


def test_a_model_is_no_script(make_server):
    client = make_server().client()
    for command in (
        ["AI.SCRIPTSET", "s", "CPU"],
        ["AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", 1, "f"],
    ):
        with pytest.raises(redis.ResponseError, match=r"store it with AI\.MODELSTORE"):
            say(client, *command, "SOURCE", archive(Steps()))
    assert client.keys() == []


def test_torch_without_what_it_does_not_need(make_server, tmp_path):
    """Its own libraries, and the two of NVIDIA that `libtorch_cpu.so` is linked to."""
    whole = Path(torch.__file__).parents[1]
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    needed = [f"torch/lib/{name}" for name in ("libtorch_cpu.so", "libc10.so", "libgomp.so.1")]
    for pattern in ("libcupti.so.*", "libcudart.so.*"):
        found = whole.glob(f"nvidia/*/lib/{pattern}")
        needed += [str(path.relative_to(whole)) for path in found]
    for name in needed:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(whole / name, site / name)
        except OSError:
            shutil.copy(whole / name, site / name)
    server = make_server(module_args=["PYTHON", site])
    client = server.client()
    model = Steps()
    say(client, "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", archive(model))
    put(client, "x", np.ones((2, 4)))
    say(client, "AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    expected = model(torch.ones(2, 4)).detach().numpy()
    np.testing.assert_allclose(get(client, "y"), expected, rtol=1e-4, atol=1e-6)
    maps = Path(f"/proc/{server.pid}/maps").read_text()
    assert str(site) in maps and str(whole / "torch") not in maps


FOREIGN = """
#include "redisai_torch_shim.h"
static const rts_table table = {sizeof(rts_table), MAJOR, MINOR, 10};
const rts_table *redisai_torch_shim(void) { return &table; }
"""


def test_a_shim_of_another_torch_is_refused(make_server, tmp_path):
    """It may load and then use wrong memory: the version that it says decides."""
    shim = torch_shim.Shim(HEADERS, Path(torch.__file__).parent)
    major, minor = shim.version().split(".")
    source, folder = tmp_path / "shim.c", tmp_path / "cache" / "redisai-rs"
    source.write_text(FOREIGN)
    folder.mkdir(parents=True, mode=0o755)
    numbers = [f"-DMAJOR={major}", f"-DMINOR={int(minor) - 1}"]
    words = ["cc", "-shared", "-fPIC", f"-I{HEADERS}", *numbers, "-o", folder / shim.name(), source]
    subprocess.run(words, check=True)
    server = make_server(env={"XDG_CACHE_HOME": str(folder.parent)})
    with pytest.raises(redis.ResponseError, match="Could not load backend"):
        say(server.client(), "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", archive(Steps()))
    server.wait_for_log("was built for another torch")
    # One that others may write is not even looked at.
    (folder / shim.name()).chmod(0o666)
    with pytest.raises(redis.ResponseError, match="Could not load backend"):
        say(server.client(), "AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", archive(Steps()))
    server.wait_for_log("others may write to")
