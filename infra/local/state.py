"""What is running in this clone: `.local/stack.json` for people and programs, and a lock.

Whoever supervises the local stack holds a lock on `.local/supervisor.lock` for as long as it
lives. The kernel gives it back however that process ends, so "is it running" needs no guess
about process numbers. The lock file also names the children, each with its command line, so that
what a killed supervisor left behind is ended only if it still is that process.

Standard library only: the launcher runs it before there is an environment.

    python3 state.py check .local     exit 8 and a message if a stack is running; cleans up
    python3 state.py down .local      ends the running stack
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

ALREADY_RUNNING = 8  # exit code
TAKE_DOWN_DEADLINE_S = 20


class State:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack_file = directory / "stack.json"
        self.starting_file = directory / "stack.starting.json"  # until the stack is ready
        self._lock_file = directory / "supervisor.lock"

    def take(self) -> IO[str] | None:
        """The lock, or None if a stack is running. Keep the file open to keep the lock."""
        lock = self._open()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def record(self, lock: IO[str], children: list[int]) -> None:
        """Notes, under the lock, whose it is and what is to be ended if we are killed."""
        known = {str(pid): command_line(pid) for pid in children}
        lock.seek(0)
        lock.truncate()
        json.dump({"supervisor": os.getpid(), "children": known}, lock)
        lock.flush()

    def write_starting(self, stack: dict) -> None:
        """For this user only: it holds a key."""
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        with open(os.open(self.starting_file, flags, 0o600), "w") as file:
            json.dump(stack, file, indent=2)
            file.write("\n")

    def announce(self, stack: dict) -> None:
        """stack.json is there when the stack is ready, and whole at once."""
        self.write_starting(stack)
        self.starting_file.replace(self.stack_file)

    def forget(self, lock: IO[str]) -> None:
        self.stack_file.unlink(missing_ok=True)
        self.starting_file.unlink(missing_ok=True)
        lock.seek(0)
        lock.truncate()

    def clean(self, lock: IO[str]) -> bool:
        """Under the lock: ends and removes what a killed supervisor left; was there anything?"""
        left = self._recorded().get("children", {})
        stale = bool(left) or self.stack_file.exists()
        for pid, command in left.items():
            if command and command_line(int(pid)) == command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        self.forget(lock)
        return stale

    def check(self) -> int:
        lock = self.take()
        if lock is None:
            print(self._running(), file=sys.stderr)
            return ALREADY_RUNNING
        with lock:
            if self.clean(lock):
                print("the last local stack was killed and not taken down: cleaned up")
        return 0

    def down(self) -> int:
        lock = self.take()
        if lock is None:
            supervisor = self._recorded().get("supervisor")
            if supervisor is not None:
                os.kill(supervisor, signal.SIGTERM)
            lock = self._wait_for_lock()
            if lock is None and supervisor is not None:
                os.kill(supervisor, signal.SIGKILL)
                lock = self._wait_for_lock()
            if lock is None:
                print("the local stack does not end", file=sys.stderr)
                return 1
            print("the local stack is down")
        elif self._recorded() or self.stack_file.exists():
            print("the last local stack was killed and not taken down: cleaned up")
        else:
            print("no local stack is running in this clone")
        with lock:
            self.clean(lock)
        return 0

    def _running(self) -> str:
        address = ""
        with contextlib.suppress(OSError, ValueError, KeyError):
            address = " at " + json.loads(self.stack_file.read_text())["endpoint_url"]
        supervisor = self._recorded().get("supervisor", "?")
        return (
            f"a local stack of this clone is already running{address} (process {supervisor}).\n"
            "Take it down with: cargo local down"
        )

    def _open(self) -> IO[str]:
        self.directory.mkdir(parents=True, exist_ok=True)
        return open(os.open(self._lock_file, os.O_CREAT | os.O_RDWR, 0o600), "r+")

    def _recorded(self) -> dict:
        try:
            return json.loads(self._lock_file.read_text())
        except (OSError, ValueError):
            return {}

    def _wait_for_lock(self) -> IO[str] | None:
        def too_late(*_) -> None:
            raise TimeoutError

        lock = self._open()
        signal.signal(signal.SIGALRM, too_late)
        signal.alarm(TAKE_DOWN_DEADLINE_S)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return lock
        except TimeoutError:
            lock.close()
            return None
        finally:
            signal.alarm(0)


def command_line(pid: int) -> str:
    """Empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        if Path("/proc/self").exists():
            return ""
    asked = ["ps", "-o", "command=", "-p", str(pid)]  # macOS
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    state = State(Path(sys.argv[2]))
    sys.exit({"check": state.check, "down": state.down}[sys.argv[1]]())
