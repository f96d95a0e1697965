"""The processes of a local stack: the emulator, and the demo receiver.

Each ends when its stdin closes, however whoever started it ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

FIRST_PORT = 4566
END_DEADLINE_S = 5

# Exit codes, listed with the others in `cargo local --help`.
PORT_TAKEN, STACK_FAILED, DEMO_FAILED = 4, 7, 9


class Failed(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Emulator:
    """emulator.py as a child, asked one thing at a time. It ends when we do."""

    def __init__(self, options: argparse.Namespace, events: queue.Queue[str]) -> None:
        self._log = options.state / "emulator.log"
        port = ["--port", str(options.port)] if options.port else ["--port-from", str(FIRST_PORT)]
        script = Path(__file__).with_name("emulator.py")
        with open(self._log, "w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(script), "--dir", str(options.state), *port],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._answers: queue.Queue[dict | None] = queue.Queue()
        threading.Thread(target=self._read, args=(events,), daemon=True).start()
        ready = self._answers.get()
        if ready is None:
            raise Failed(*self._why_not_started(options.port))
        self.endpoint_url: str = ready["ready"]

    def ask(self, what: str, **arguments):
        if self._process.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps({"id": 0, "do": what, **arguments}) + "\n")
                self._process.stdin.flush()
        answer = self._answers.get()
        if answer is None:
            raise Failed(STACK_FAILED, self.last_words())
        if "error" in answer:
            raise Failed(STACK_FAILED, answer["error"])
        return answer["ok"]

    def last_words(self) -> str:
        return f"the emulator has ended, and its state with it; see {self._log}"

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        end(self._process)

    def _read(self, events: queue.Queue[str]) -> None:
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)
        events.put("emulator ended")

    def _why_not_started(self, port: int | None) -> tuple[int, str]:
        if self._process.wait() == PORT_TAKEN:
            return PORT_TAKEN, f"port {port or f'{FIRST_PORT} and those after it'} is taken"
        lines = self._log.read_text(errors="replace").splitlines()[-8:]
        return STACK_FAILED, "\n".join(["the emulator did not start:", *lines])


class Demo:
    """`webhooks demo run`: its lines are passed on, but for READY."""

    def __init__(
        self, command: list[str], environment: dict[str, str], events: queue.Queue[str]
    ) -> None:
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,  # it ends when this closes, however we end
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        threading.Thread(target=self._read, args=(events,), daemon=True).start()

    def _read(self, events: queue.Queue[str]) -> None:
        for line in self._process.stdout:
            if line.strip() == "READY":
                events.put("demo ready")
            else:
                print(line, end="", flush=True)
        events.put("demo ended")

    def end(self) -> None:
        self._process.terminate()
        end(self._process)


def end(process: subprocess.Popen) -> None:
    try:
        process.wait(END_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
