"""`redisai-rs doctor`: what was found, what runs, and what to do about the rest."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from redisai_rs import servers
from redisai_rs.backends import Backend, discover, ensure_shims, probe
from redisai_rs.build import build_info
from redisai_rs.exceptions import Error, NotInstalledError
from redisai_rs.paths import module_path

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    found: str
    """A version, a path, or both; empty where there is nothing."""
    problem: str = ""
    """Why it cannot be used and what to do; empty where it can."""
    optional: bool = False
    """Whether everything else works without it."""

    @property
    def fatal(self) -> bool:
        """Whether `doctor` shall fail."""
        return bool(self.problem) and not self.optional


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "doctor",
        help="say what was found, what runs, and what to do about the rest",
        description="Looks for the module, the servers, the backends and their frameworks, and"
        " loads each backend as the module would. Exit status 1 if the module or a backend cannot"
        " run.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--fix", action="store_true", help="first build what a backend needs and has not"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb."""
    module = _module()
    if options.fix and not module.fatal:
        ensure_shims(lambda line: print(line, file=sys.stderr, flush=True))
    backends = [] if module.fatal else [probe(backend) for backend in discover()]
    some_run = any(backend.usable for backend in backends)
    findings = [module, *(_backend(backend, some_run) for backend in backends), *_servers()]
    if not backends and not module.fatal:
        findings.append(Finding("backends", "", f"none beside {module.found}: install anew"))
    if options.json:
        print(json.dumps(_report(findings, backends), indent=2))
    else:
        _print(findings)
    return int(any(finding.fatal for finding in findings))


def _report(findings: list[Finding], backends: list[Backend]) -> dict[str, object]:
    return {
        "ok": not any(finding.fatal for finding in findings),
        "build": asdict(build_info()),
        "python": {"version": platform.python_version(), "prefix": sys.prefix},
        "backends": [asdict(backend) | {"usable": backend.usable} for backend in backends],
        "findings": [asdict(finding) for finding in findings],
    }


def _print(findings: list[Finding]) -> None:
    facts = build_info()
    print(f"redisai-rs {facts.version} · Python {platform.python_version()} in {sys.prefix}")
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark = "ok" if not finding.problem else "--" if finding.optional else "NO"
        text = " · ".join(part for part in (finding.found, finding.problem) if part)
        print(f"{mark}  {finding.what.ljust(width)}  {text}")


def _module() -> Finding:
    try:
        return Finding("module", str(module_path()))
    except Error as error:
        return Finding("module", "", str(error))


def _backend(backend: Backend, some_run: bool) -> Finding:
    """A framework that is not installed is no fault where another is."""
    parts = (backend.framework_version, backend.framework or backend.library)
    found = " ".join(part for part in parts if part)
    optional = some_run and not backend.framework
    return Finding(f"backend {backend.name}", found, backend.problem, optional)


def _servers() -> list[Finding]:
    """The system's server and the embedded one; `serve` needs one of them."""
    findings = []
    try:
        own = servers.on_path()
        found = f"{own} {own.path}" if own else ""
        problem = "" if own else f"none of {', '.join(servers.ON_PATH)} there"
        findings.append(Finding("server on PATH", found, problem, optional=True))
    except Error as error:
        findings.append(Finding("server on PATH", "", str(error), optional=True))
    try:
        embedded = servers.from_wheel(servers.EMBEDDED)
        findings.append(Finding("embedded server", f"{embedded} {embedded.path}"))
    except NotInstalledError as error:
        findings.append(Finding("embedded server", "", str(error), optional=True))
    return findings
