"""The `ai` sections of `INFO`: monitoring finds them by their place and cuts them into lines."""

from __future__ import annotations

import re
from pathlib import Path

import onnxruntime
from commands.models import store
from commands.wire import OK, Wire
from redisai_rs.testing import Server

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "crates/backend-onnx/tests/data/tiny.onnx"
ORDER = ["ai_versions", "ai_git", "ai_load_time_configs", "ai_backends_info", "ai_cpu"]
SECONDS = re.compile(r"\d+\.\d{6}")


def sections(text: str) -> dict[str, dict[str, str]]:
    """Each section's fields, all in their order."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            found[line[2:]] = {}
        elif line:
            name, value = line.split(":", 1)
            found[list(found)[-1]][name] = value
    return found


def ai_sections(wire: Wire, section: str = "modules") -> dict[str, dict[str, str]]:
    found = sections(wire("INFO", section).decode())
    found.pop("Modules", None)
    return {name: fields for name, fields in found.items() if name.startswith("ai_")}


def test_the_first_five_sections_in_order(wire: Wire) -> None:
    text = wire("INFO", "modules").decode()
    assert text.startswith("# Modules\r\n")
    names = [part.split("\r\n")[0].strip() for part in text.split("#")[2:]]
    assert names[:5] == ORDER
    assert all(name.startswith("ai_") for name in names)


def test_fields_with_no_backend(wire: Wire, server: Server) -> None:
    found = ai_sections(wire)
    version = found["ai_versions"]["ai_RedisAI_version"]
    assert list(found["ai_versions"].items()) == [
        ("ai_RedisAI_version", version),
        ("ai_low_level_API_version", "1"),
        ("ai_rdb_version", "4"),
    ]
    major, minor, patch = map(int, version.split("."))
    assert (major, minor, patch) >= (2, 0, 0)
    (module,) = re.findall(r"name=ai,ver=(\d+)", wire("INFO", "modules").decode())
    assert int(module) == major * 10000 + minor * 100 + patch
    assert list(found["ai_git"]) == ["ai_git_sha"]
    assert list(found["ai_load_time_configs"].items()) == [
        ("ai_threads_per_queue", "1"),
        ("ai_inter_op_parallelism", "0"),
        ("ai_intra_op_parallelism", "0"),
        ("ai_model_execution_timeout", "5000"),
        ("ai_backend_memory_limit", "0"),
    ]
    assert found["ai_backends_info"] == {}
    assert list(found["ai_cpu"]) == [
        "ai_self_used_cpu_sys",
        "ai_self_used_cpu_user",
        "ai_children_used_cpu_sys",
        "ai_children_used_cpu_user",
        "ai_main_thread_used_cpu_sys",
        "ai_main_thread_used_cpu_user",
        "ai_queue_CPU_bthread_n0_used_cpu_total",
    ]
    assert all(SECONDS.fullmatch(value) for value in found["ai_cpu"].values())


def test_load_time_values_are_shown(make_server: object) -> None:
    arguments = ["THREADS_PER_QUEUE", 3, "INTER_OP_PARALLELISM", 4, "INTRA_OP_PARALLELISM", 5]
    arguments += ["MODEL_EXECUTION_TIMEOUT", 6000, "BACKEND_MEMORY_LIMIT", 7]
    server: Server = make_server(module_args=arguments)  # type: ignore[operator]
    wire = Wire((server.host, server.port))
    found = ai_sections(wire)
    assert list(found["ai_load_time_configs"].values()) == ["3", "4", "5", "6000", "7"]
    queues = [name for name in found["ai_cpu"] if name.startswith("ai_queue_")]
    assert queues == [f"ai_queue_CPU_bthread_n{n}_used_cpu_total" for n in range(3)]
    wire.close()


def test_values_hold_no_blanks_and_no_colons(mocks: Wire) -> None:
    store(mocks)
    assert mocks("AI.MODELSTORE", "other", "ONNX", "GPU:0", "BLOB", "identity") == OK
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks.line("AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y") == OK
    found = ai_sections(mocks)
    assert list(found)[:5] == ORDER
    lines = [line for line in mocks("INFO", "modules").decode().split("\r\n") if line[:3] == "ai_"]
    # Split on every colon, as monitoring scripts do: a device's name must not add one.
    for line in lines:
        name, _, value = line.partition(":")
        assert re.fullmatch(r"\S+", name), line
        assert re.fullmatch(r"[^\s:]*", value), line


def test_backends_that_are_loaded(mocks: Wire) -> None:
    fields = ai_sections(mocks)["ai_backends_info"]
    versions = [name for name in fields if name.endswith("_version")]
    assert versions == [
        "ai_TensorFlow_version",
        "ai_TensorFlowLite_version",
        "ai_Torch_version",
        "ai_onnxruntime_version",
    ]


def test_one_section_may_be_asked_for(wire: Wire, server: Server) -> None:
    assert list(ai_sections(wire, "ai_versions")) == ["ai_versions"]
    assert list(ai_sections(wire, "ai_cpu")) == ["ai_cpu"]
    assert list(ai_sections(wire, "ai"))[:5] == ORDER
    assert list(ai_sections(wire, "everything"))[:5] == ORDER
    assert not ai_sections(wire, "server")


def test_a_queues_time_grows(mocks: Wire, mocks_server: Server) -> None:
    store(mocks, "m", b"add\ninputs 2\noutputs 1")
    mocks("AI.TENSORSET", "x", "DOUBLE", 4_000_000)
    name = "ai_queue_CPU_bthread_n0_used_cpu_total"
    before = float(ai_sections(mocks)["ai_cpu"][name])
    for _ in range(5):
        assert mocks.line("AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 1 y") == OK
    assert float(ai_sections(mocks)["ai_cpu"][name]) > before


def test_onnx_runtimes_own_fields(wire: Wire) -> None:
    """Shown from the first model on; the memory is counted while the model is there."""
    names = ["version", "memory", "memory_access_num", "maximum_run_sessions_number"]
    assert wire("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", MODEL.read_bytes()) == OK
    fields = ai_sections(wire)["ai_backends_info"]
    assert list(fields)[:4] == [f"ai_onnxruntime_{name}" for name in names]
    assert fields["ai_onnxruntime_version"] == onnxruntime.__version__
    assert int(fields["ai_onnxruntime_memory"]) > 0
    assert int(fields["ai_onnxruntime_memory_access_num"]) > 0
    assert int(fields["ai_onnxruntime_maximum_run_sessions_number"]) >= 1


def test_queues_are_shown_behind_the_references_sections(mocks: Wire) -> None:
    store(mocks)
    assert mocks("AI.MODELSTORE", "other", "ONNX", "CPU:1", "BLOB", "identity") == OK
    found = ai_sections(mocks)
    assert list(found)[: len(ORDER)] == ORDER
    queues = found["ai_queues"]
    for queue in ("CPU", "CPU_1"):
        names = [f"ai_queue_{queue}_{name}" for name in ("length", "peak", "refused", "busy")]
        assert [queues[name] for name in names][2:] == ["0", "0"]
        assert queues[f"ai_queue_{queue}_workers"] == "1"
    assert queues["ai_running"] == "0"
    assert queues["ai_waiting_for_session"] == "0"
