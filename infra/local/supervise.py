"""Owns the local stack from deployment to the end: what `cargo local` becomes once all is built.

Starts the emulator, deploys the template, has the CLI make an operator key and run the demo,
writes .local/stack.json, and ticks the sweeper every 2 s until Ctrl-C or SIGTERM. Then everything
is taken down. Without a template it is the emulator alone, for `sam deploy`. The launcher
(src/main.rs) has made the environment that this is run with.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

from parts import DEMO_FAILED, STACK_FAILED, Demo, Emulator, Failed
from state import State

REGION = "us-east-1"
TICK_S = 2
DEMO_DEADLINE_S = 60

INTERRUPTED_EARLY = 130  # exit code


class Interrupted(Exception):
    pass


def main() -> int:
    options = arguments()
    when_ready = detach() if options.detach else lambda directory: None
    state = State(options.state)
    lock = state.take()
    if lock is None:
        return state.check()
    state.clean(lock)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    kind = LocalStack if options.template else EmptyEmulator
    stack = kind(options, state, lock)
    try:
        stack.up()
        stack.run(when_ready)
    except Failed as failure:
        say(str(failure))
        return failure.code
    except Interrupted:
        print(f"\ntaking the {kind.NAME} down", flush=True)
        return 0 if stack.is_ready else INTERRUPTED_EARLY
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stack.down()
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="the clone's .local")
    parser.add_argument("--template", type=Path, help="to deploy; without, nothing is")
    parser.add_argument("--stack-name")
    parser.add_argument("--binaries", type=Path)
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-demo", action="store_true")
    parser.add_argument("--detach", action="store_true")
    return parser.parse_args()


def interrupt(*_) -> None:
    raise Interrupted


def say(message: str) -> None:
    print(f"cargo local: {message}", file=sys.stderr, flush=True)


class EmptyEmulator:
    """The emulator alone, with nothing deployed to it."""

    NAME = "emulator"

    def __init__(self, options: argparse.Namespace, state: State, lock) -> None:
        self._options = options
        self._state = state
        self._lock = lock
        self._events: queue.Queue[str] = queue.Queue()
        self._emulator: Emulator | None = None
        self.is_ready = False

    def up(self) -> None:
        self._emulator = Emulator(self._options, self._events)
        self._record()

    def run(self, when_ready) -> None:
        self.is_ready = True
        print(
            f"The emulator is up at {self._emulator.endpoint_url}, and empty. For a terminal that is"
            " to see it in place of AWS:\n\n"
            f"  export AWS_ENDPOINT_URL={self._emulator.endpoint_url} AWS_REGION={REGION}"
            f" AWS_DEFAULT_REGION={REGION}"
            " AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test; unset AWS_PROFILE\n\n"
            "infra/deploy.md goes on from there. It is taken down, with all that is on it, by "
            + self._taken_down_by(),
            flush=True,
        )
        when_ready(self._options.state)
        self._events.get()  # There is but one: that it has ended.
        raise Failed(STACK_FAILED, self._emulator.last_words())

    def down(self) -> None:
        for part in self._parts():
            part.end()
        self._state.forget(self._lock)

    def _parts(self) -> list:
        return [self._emulator] if self._emulator else []

    def _record(self) -> None:
        self._state.record(self._lock, [part.pid for part in self._parts()])

    def _taken_down_by(self) -> str:
        return "cargo local down" if self._options.detach else "Ctrl-C"


class LocalStack(EmptyEmulator):
    """Our template on the emulator, and the demo."""

    NAME = "local stack"

    def __init__(self, options: argparse.Namespace, state: State, lock) -> None:
        super().__init__(options, state, lock)
        self._demo: Demo | None = None
        self._tick_trouble = ""

    def up(self) -> None:
        print("starting the emulator and deploying template.yaml", flush=True)
        super().up()
        outputs = self._emulator.ask(
            "deploy",
            name=self._options.stack_name,
            template=str(self._options.template),
            binaries=str(self._options.binaries),
            parameters=dict(each.split("=", 1) for each in self._options.param),
        )
        self._start(outputs)
        self._sweeper = outputs.get("SweeperFunction")
        self._stack = {
            "endpoint_url": self._emulator.endpoint_url,
            "region": REGION,
            "api_url": outputs.get("ApiUrl"),
            "operator_key": None,
            "stack_name": self._options.stack_name,
            "outputs": outputs,
            "pids": self._pids(),
        }
        # The CLI finds the stack in this file before it is announced in stack.json.
        self._state.write_starting(self._stack)
        self._stack["operator_key"] = self._make_operator_key()
        self._state.write_starting(self._stack)
        if not self._options.no_demo:
            self._demo = Demo(self._cli("demo", "run"), self._cli_environment(), self._events)
            self._record()

    def _start(self, outputs: dict[str, str]) -> None:
        """Settings that the template takes one by one can still contradict each other; what a
        function has against them it says when it starts, before it is given anything to do."""
        for name in ("IngestFunction", "SenderFunction"):
            if name in outputs:
                self._emulator.ask("invoke", function=outputs[name], payload={"Records": []})

    def run(self, when_ready) -> None:
        """Ticks the sweeper, and answers what happens meanwhile."""
        deadline = time.monotonic() + DEMO_DEADLINE_S
        if self._demo is None:
            self._events.put("demo ready")
        while True:
            event = self._next_event(None if self.is_ready else deadline)
            if event == "demo ready":
                self.is_ready = True
                self._announce()
                when_ready(self._options.state)
            elif event == "demo ended" and self.is_ready:
                say("the demo receiver has ended; the stack stays up")
            elif event == "demo ended" or event == "too late":
                raise Failed(DEMO_FAILED, "the demo did not come up (its output is above)")
            else:
                raise Failed(STACK_FAILED, self._emulator.last_words())

    def _parts(self) -> list:
        return ([self._demo] if self._demo else []) + super()._parts()

    def _next_event(self, deadline: float | None) -> str:
        while deadline is None or time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=TICK_S)
            self._tick()
        return "too late"

    def _tick(self) -> None:
        if self._sweeper is None:
            return
        trouble = ""
        try:
            self._emulator.ask("invoke", function=self._sweeper, payload={})
        except Failed as failure:
            trouble = str(failure)
        if trouble and trouble != self._tick_trouble:
            say(trouble)
        self._tick_trouble = trouble

    def _announce(self) -> None:
        self._stack["pids"] = self._pids()
        self._state.announce(self._stack)
        api, key = self._stack["api_url"], self._stack["operator_key"]
        print(
            f"\nThe local stack is up at {self._stack['endpoint_url']}"
            + (f", its API at {api}" if api else "")
            + (f"\n  the page      {api}#token={key}" if api and self._options.no_demo else "")
            + f"\n  described in  {self._state.stack_file}"
            + f"\n  logs          {self._options.state}/emulator.log, one file per function in"
            + f" {self._options.state}/logs/"
            + "\n  taken down by "
            + self._taken_down_by(),
            flush=True,
        )

    def _make_operator_key(self) -> str:
        command = self._cli("keys", "create", "--scope", "operator", "--json")
        made = subprocess.run(
            command, env=self._cli_environment(), stdin=subprocess.DEVNULL, capture_output=True
        )
        try:
            return json.loads(made.stdout)["key"]
        except (ValueError, KeyError, TypeError):
            said = (made.stderr or made.stdout).decode(errors="replace").strip()
            raise Failed(
                STACK_FAILED,
                f"`{' '.join(command)}` made no operator key (exit {made.returncode}): {said}",
            ) from None

    def _cli(self, *arguments: str) -> list[str]:
        return [str(self._options.binaries / "webhooks"), *arguments]

    def _cli_environment(self) -> dict[str, str]:
        environment = {**os.environ, "WEBHOOKS_STACK_FILE": str(self._state.starting_file)}
        if sys.stdout.isatty() and not self._options.detach and "NO_COLOR" not in os.environ:
            environment["CLICOLOR_FORCE"] = "1"  # its lines pass through a pipe to the terminal
        return environment

    def _pids(self) -> list[int]:
        return [os.getpid(), *(part.pid for part in self._parts())]


def detach():
    """Goes on in a second process; the first one waits until the stack is ready, or has failed.

    Until then the second stays in the terminal's process group, so that Ctrl-C ends it too.
    """
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        return lambda directory: leave_terminal(directory, tell)
    os.close(tell)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    if os.read(told, 1):
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)


def leave_terminal(directory: Path, tell: int) -> None:
    """The demo's receipts go on in demo.log, our own complaints in supervisor.log."""
    os.setsid()
    for path, number in ((os.devnull, 0), (directory / "demo.log", 1)):
        redirect(path, number)
    redirect(directory / "supervisor.log", 2)
    os.write(tell, b"1")
    os.close(tell)


def redirect(path: str | Path, number: int) -> None:
    opened = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number else 0), 0o600)
    os.dup2(opened, number)
    os.close(opened)


if __name__ == "__main__":
    sys.exit(main())
