"""Runs calls of redisai-py in an environment of its own; results go out as a pickle.

Asked by test_migration.py: port, and a file with the calls and what they may name.
"""

import pickle
import sys
import warnings
from pathlib import Path

import numpy

# Of setuptools, and that some calls are deprecated.
warnings.simplefilter("ignore")

import redisai  # noqa: E402 (after the filter)


def main() -> None:
    port, asked, told = sys.argv[1:]
    calls, names = pickle.loads(Path(asked).read_bytes())
    names |= {"con": redisai.Client(host="localhost", port=int(port)), "numpy": numpy}
    results = [eval(call, names) for call in calls]  # noqa: S307 (of our own page)
    Path(told).write_bytes(pickle.dumps(results))


main()
