"""The PEP 517 build backend: maturin, with the module and the backend libraries built first."""

from __future__ import annotations

import os
from typing import Any

import maturin
import native
from maturin import (
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, Any] | None


def build_wheel(directory: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Builds a complete wheel."""
    native.stage()
    os.environ.update(native.build_env())
    return str(maturin.build_wheel(directory, settings, metadata))


def build_editable(directory: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Builds everything into the source tree, and a wheel that points there."""
    native.stage()
    native.note_site_packages()
    os.environ.update(native.build_env())
    return str(maturin.build_editable(directory, settings, metadata))
