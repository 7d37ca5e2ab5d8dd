"""Runs the command line as `python -m redisai_rs.cli`."""

import sys

from redisai_rs.cli import main

sys.exit(main())
