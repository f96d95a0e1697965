"""Runs the receivers that the README shows, as they are, and sends them deliveries."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from captures import Capture, Change, changed
from tools import HERE, Tools

SNIPPETS = HERE.parents[1] / "functions/api/page/receivers"  # the page shows them, too
START_DEADLINE_S = 30
ANSWER_DEADLINE_S = 30
# Belongs to the connection, not to the delivery.
HOP_BY_HOP = ("connection", "content-length", "host", "transfer-encoding")
NO_PHP = "no PHP can be run here; install one: apt-get install php-cli"
AGAIN = "again"


class CannotRun(Exception):
    """A receiver does not start; the text says which and what it printed."""


@dataclass(frozen=True)
class Snippet:
    file: Path
    runtime: str
    command: tuple[str, ...]  # with PORT where the port belongs; also in the environment


@dataclass(frozen=True)
class Judged:
    capture: str
    change: str
    verdict: str
    expected: str


def snippets(tools: Tools) -> list[Snippet]:
    php, python, node = (SNIPPETS / f"receiver.{end}" for end in ("php", "py", "mjs"))
    if tools.php:
        native = (str(tools.php), "-S", "127.0.0.1:PORT", str(php))
        first = Snippet(php, "php -S", native)
    else:
        compiled = (str(tools.node), str(tools.modules / "php_server.mjs"), str(php))
        first = Snippet(php, "php 8.4, WebAssembly", compiled)
    version = "python {}.{}".format(*sys.version_info)
    return [
        first,
        Snippet(python, version, (sys.executable, str(python))),
        Snippet(node, "node", (str(tools.node), str(node))),
    ]


def judge(snippet: Snippet, captures: list[Capture]) -> Iterator[Judged]:
    """Sends each capture in bad forms, as it is, and once more; a process for each secret."""
    for secret in dict.fromkeys(capture.rackwave_secret for capture in captures):
        with tempfile.TemporaryDirectory() as inbox:
            with running(snippet, secret, Path(inbox)) as port:
                mine = [one for one in captures if one.rackwave_secret == secret]
                for capture in mine:
                    yield from judge_one(port, capture, stored=ids(Path(inbox)))
            yield judge_inbox(Path(inbox), mine)


def judge_one(port: int, capture: Capture, stored: set[str]) -> Iterator[Judged]:
    """The bad ones first: a refused delivery must not make the good one a duplicate."""
    for change in Change:
        if change is not Change.NONE:
            reason = "stale timestamp" if is_late(change) else "bad signature"
            verdict = send(port, changed(capture, change))
            yield Judged(capture.name, change.value, verdict, f"401 {reason}")
    known = capture.header("webhook-id") in stored
    first = "200 duplicate" if known else "200 stored"
    for time_sent, expected in ((Change.NONE.value, first), (AGAIN, "200 duplicate")):
        yield Judged(capture.name, time_sent, send(port, capture), expected)


def is_late(change: Change) -> bool:
    return change in (Change.STALE, Change.EARLY)


def ids(inbox: Path) -> set[str]:
    return {file.name.removesuffix(".json") for file in inbox.iterdir()}


def judge_inbox(inbox: Path, captures: list[Capture]) -> Judged:
    """Each event is there once, byte for byte."""
    want = {f"{one.header('webhook-id')}.json": one.body for one in captures}
    same = {file.name: file.read_bytes() for file in inbox.iterdir()} == want
    return Judged("all", "kept once", "same bytes" if same else "other bytes", "same bytes")


def send(port: int, capture: Capture) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_DEADLINE_S)
    with contextlib.closing(connection):
        try:
            connection.putrequest("POST", capture.path, skip_accept_encoding=True)
            for name, value in capture.headers:
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(capture.body)))
            connection.endheaders(capture.body)
            answer = connection.getresponse()
            return f"{answer.status} {answer.read(200).decode(errors='replace')}"
        except (OSError, http.client.HTTPException) as error:
            return f"no answer: {error!r}"


@contextlib.contextmanager
def running(snippet: Snippet, secret: str, inbox: Path) -> Iterator[int]:
    """The receiver as a process of its own; gives the port it listens on.

    Raises `CannotRun`.
    """
    port = free_port()
    own = {"PORT": str(port), "WEBHOOK_SECRET": secret, "WEBHOOK_INBOX": str(inbox)}
    command = [part.replace("PORT", str(port)) for part in snippet.command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=inbox,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            if not listens(port, process):
                output.seek(0)
                raise CannotRun(why_not(snippet, output.read().decode(errors="replace")))
            yield port
        finally:
            process.kill()
            process.wait()


def why_not(snippet: Snippet, printed: str) -> str:
    advice = f"\n{NO_PHP}" if snippet.file.suffix == ".php" else ""
    return f"{printed[-2000:]}\n{snippet.file.name} ({snippet.runtime}) does not start{advice}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False
