"""Model serving inside Redis and Valkey.

The package carries the Redis module (`module_path`) and its backend libraries; `redisai_rs.testing`
starts real servers with it. The command line is `redisai-rs`.
"""

from __future__ import annotations

from redisai_rs._core import __version__
from redisai_rs.build import BuildInfo, build_info
from redisai_rs.exceptions import RedisAIError
from redisai_rs.paths import module_path

__all__ = ["BuildInfo", "RedisAIError", "__version__", "build_info", "module_path"]
