"""The end of the interpreter with runs in flight, and forks: each in a process of its own."""

import subprocess
import sys
import textwrap

import onnx_models
import pytest

START = """
import asyncio, multiprocessing, os, sys, threading
import numpy as np
import redisai_rs as rai

engine = rai.Engine(intra_op_threads=1)
slow = engine.load(sys.argv[1])
x = np.zeros(2, np.float32)
steps = np.array(20_000)
"""


@pytest.fixture
def process(tmp_path):
    """Runs a program after START and gives what it said, which must be nothing on stderr."""
    path = tmp_path / "loop.onnx"
    path.write_bytes(onnx_models.loop())

    def run(program):
        script = tmp_path / "program.py"
        script.write_text(START + textwrap.dedent(program))
        done = subprocess.run(
            [sys.executable, script, path], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def test_exit_with_runs_in_flight(process):
    process("runs = [slow.submit(steps, x) for _ in range(1000)]")


def test_exit_with_runs_that_nobody_keeps(process):
    process("for _ in range(1000): slow.submit(steps, x)")


def test_exit_with_a_daemon_thread_inside_runs(process):
    process(
        """
        inside = threading.Event()

        def again():
            while True:
                inside.set()
                slow.run(steps, x)
                slow.submit(steps, x)

        threads = [threading.Thread(target=again, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        inside.wait()
        """
    )


def test_exit_after_the_event_loop_was_closed(process):
    process(
        """
        async def main():
            for _ in range(100):
                asyncio.ensure_future(slow.run_async(steps, x))
            await asyncio.sleep(0)

        asyncio.run(main())
        """
    )


def test_a_forked_child_is_refused_and_the_parent_goes_on(process):
    said = process(
        """
        pending = slow.submit(steps, x)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            for call in (
                lambda: slow.run(steps, x),
                lambda: slow.submit(steps, x),
                lambda: engine.load(sys.argv[1]),
                lambda: rai.Engine(),
                slow.stats,
                slow.reset_stats,
                slow.unload,
                engine.queues,
                lambda: engine.forget("n"),
                lambda: engine.script("", []),
                engine.dag().tensor("x", x).run,
                engine.close,
            ):
                try:
                    call()
                except RuntimeError as error:
                    os.write(write, b"refused\\n" if "forked" in str(error) else b"other\\n")
                else:
                    os.write(write, b"ran\\n")
            del slow, pending, x
            os._exit(0)
        os.close(write)
        print(open(read).read(), end="")
        assert os.waitpid(child, 0)[1] == 0
        print(pending.result(60).tolist())
        """
    )
    assert said == "refused\n" * 12 + "[20000.0, 20000.0]\n"


def test_a_forked_child_ends_although_a_thread_was_on_its_way_into_python(process):
    said = process(
        """
        # The GIL stays here: a run that has ended waits for it.
        sys.setswitchinterval(1000)
        quick = np.array(1)
        pending = [slow.submit(quick, x) for _ in range(20)]
        while slow.stats()["calls"] < 1:
            pass
        for _ in range(1_000_000):
            pass
        child = os.fork()
        if child == 0:
            sys.exit(0)
        sys.setswitchinterval(0.005)
        print(os.waitpid(child, 0)[1], [run.result(60).tolist() for run in pending][-1])
        """
    )
    assert said == "0 [1.0, 1.0]\n"


def test_a_spawned_child_has_an_engine_of_its_own(process):
    said = process(
        """
        def child(path):
            engine = rai.Engine(intra_op_threads=1)
            print(engine.load(path).run(np.array(3), x).tolist(), flush=True)

        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            other = context.Process(target=child, args=(sys.argv[1],))
            other.start()
            other.join(60)
            print(other.exitcode)
        """
    )
    assert said == "[3.0, 3.0]\n0\n"


def test_memory_of_100_000_runs_stays(process):
    said = process(
        """
        from pathlib import Path

        def resident():
            pages = Path("/proc/self/statm").read_text().split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")

        def runs(count):
            for _ in range(count):
                slow.run(np.array(1), np.zeros(2, np.float32))

        def futures(count):
            for _ in range(count // 100):
                for run in [slow.submit(np.array(1), x) for _ in range(100)]:
                    run.result(60)

        for some in (runs, futures):
            some(20_000)
            before = resident()
            some(80_000 if some is runs else 20_000)
            print(resident() - before)
        """
    )
    grown = [int(line) for line in said.split()]
    assert len(grown) == 2
    assert max(grown) <= 2 << 20
