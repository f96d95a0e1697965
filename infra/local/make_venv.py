"""Makes the virtual environment of the local stack, once per state of requirements.txt.

Standard library only: it runs under the machine's own Python. Two processes that need the
environment at the same time are safe (the second waits for the first), and a half-made one is
noticed, because the stamp is written last.

    python3 make_venv.py .local/venv requirements.txt      prints lines of progress
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

STAMP = "made-from"


def main(venv: Path, requirements: Path) -> int:
    venv.parent.mkdir(parents=True, exist_ok=True)
    with open(venv.with_suffix(".lock"), "w") as lock:
        take(lock)
        want = stamp(requirements)
        if is_made(venv, want):
            return 0
        if venv.exists():
            print("making the Python environment again (half made, or its pins changed)")
            shutil.rmtree(venv)
        else:
            print("making the Python environment (about 300 MB, once)")
        return make(venv, requirements, want)


def take(lock) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another process that is making the Python environment")
        fcntl.flock(lock, fcntl.LOCK_EX)


def stamp(requirements: Path) -> str:
    """What the environment depends on: the pins, this script and the Python below it."""
    digest = hashlib.sha256()
    for part in (
        requirements.read_bytes(),
        Path(__file__).read_bytes(),
        sys.version.encode(),
        sys.base_prefix.encode(),
    ):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def is_made(venv: Path, want: str) -> bool:
    made_from = venv / STAMP
    return (
        made_from.is_file()
        and made_from.read_text() == want
        and (venv / "bin" / "python").exists()  # False for a link to a Python that was removed
    )


def make(venv: Path, requirements: Path, want: str) -> int:
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    steps = (
        [sys.executable, "-m", "venv", str(venv)],
        pip + ["--requirement", str(requirements)],
    )
    log_path = venv.with_suffix(".log")
    with open(log_path, "w") as log:
        for step in steps:
            log.write(f"$ {' '.join(step)}\n")
            log.flush()
            if subprocess.run(step, stdout=log, stderr=subprocess.STDOUT).returncode != 0:
                print("\n".join(last_lines(log_path, 8)))
                print(f"the Python environment could not be made; the whole log: {log_path}")
                return 1
    (venv / STAMP).write_text(want)
    print("the Python environment is ready")
    return 0


def last_lines(path: Path, count: int) -> list[str]:
    return path.read_text(errors="replace").splitlines()[-count:]


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main(Path(sys.argv[1]).absolute(), Path(sys.argv[2])))
