"""Runs MiniStack on loopback for as long as whoever started it lives.

    python emulator.py --dir DIR [--port N | --port-from N] [--judge]     run by .local/venv's Python

It speaks JSON lines: the first line on stdout is {"ready": "http://127.0.0.1:PORT"}; then each
line on stdin, {"id": 1, "do": "deploy" | "invoke" | ..., ...}, is answered on stdout by
{"id": 1, "ok": ...} or {"id": 1, "error": "..."}, in the order in which they are finished.
When stdin closes it ends, with every function it runs: so it cannot outlive its parent, even
when that is killed. Its state lives in memory and goes with it.

DIR/logs/<function>.log holds what the functions write; DIR/tmp is scratch space; with --judge,
DIR/needed.jsonl names the policy statements that were needed (judge.py). The emulator's own log
goes to stderr.

Three things that MiniStack lacks are added: SQS's figures in CloudWatch (figures.py), a Scheduler
that throttles when it is told to (throttle.py), and function URLs that lead somewhere (urls.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import figures
import judge
import throttle
import urls

REGION = "us-east-1"

# What the emulator and its functions may know of the shell that started them. No AWS_*, no
# proxies: everything they call is on loopback.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "RUST_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE")

# MiniStack looks at schedules every 10 s: too slow for a schedule of seconds.
SCHEDULER_TICK_S = 1

PORTS_TRIED = 100
PORT_TAKEN = 4  # exit code


def main() -> None:
    options = arguments()
    end_with_everyone_else()
    listener = listen(ports(options))
    endpoint_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    use_environment(endpoint_url, options.dir)
    import_and_adjust_ministack(options.dir / "logs")
    figures.install()
    throttle.install()
    urls.install(endpoint_url)
    if options.judge:
        judge.install(options.dir / "needed.jsonl")
    threading.Thread(target=control, args=(endpoint_url, options.dir), daemon=True).start()
    try:
        asyncio.run(serve(listener))
    finally:
        end(options.dir / "tmp")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="this one; 0: any free one")
    parser.add_argument("--port-from", type=int, help="the next free one from here")
    parser.add_argument("--judge", action="store_true", help="tell what statements are needed")
    options = parser.parse_args()
    options.dir = options.dir.absolute()
    return options


def end_with_everyone_else() -> None:
    """Lead a process group of our own: Ctrl-C in the terminal is for our parent to handle, and
    one signal to the group takes down the functions as well."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def end(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def ports(options: argparse.Namespace) -> range:
    if options.port_from is None:
        return range(options.port, options.port + 1)
    return range(options.port_from, options.port_from + PORTS_TRIED)


def listen(candidates: range) -> socket.socket:
    """Bound here and not by MiniStack: nobody can take the port in between."""
    for port in candidates:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1024)
            return listener
        except OSError:
            listener.close()
    first, last = candidates[0], candidates[-1]
    print(f"port {first if first == last else f'{first} to {last}'} is taken", file=sys.stderr)
    sys.exit(PORT_TAKEN)


def use_environment(endpoint_url: str, directory: Path) -> None:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    scratch = directory / "tmp"
    for own in (scratch, directory / "logs"):
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=str(scratch),
        TMPDIR=str(scratch),
        # MiniStack
        AUTH="true",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=endpoint_url.rsplit(":", 1)[1],
        LAMBDA_EXECUTOR="local",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        S3_DATA_DIR=str(scratch / "s3"),
        STATE_DIR=str(scratch / "state"),
        DOCKER_HOST=f"unix://{scratch}/no-docker",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        # Every SDK below it; without the endpoint the functions would call the real AWS.
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )


def import_and_adjust_ministack(logs: Path) -> None:
    """MiniStack reads the environment when it is imported, hence not at the top."""
    from ministack.core import iam_actions
    from ministack.services import lambda_svc, scheduler

    scheduler._SCHEDULE_TICK_INTERVAL = SCHEDULER_TICK_S

    action_of = iam_actions.extract_iam_action

    def action_as_on_aws(service, *request):
        """On AWS a batch needs no permission of its own: sqs:SendMessage covers both."""
        action = action_of(service, *request)
        return action.removesuffix("Batch") if action and service == "sqs" else action

    iam_actions.extract_iam_action = action_as_on_aws

    emit = lambda_svc._emit_lambda_logs

    def emit_to_file_too(func, request_id, log_text, *rest, **named):
        name = (func.get("config") or func).get("FunctionName", "unknown")
        with open(logs / f"{name}.log", "a") as log:
            log.write(f"{log_text.rstrip()}\n" if log_text else "")
        emit(func, request_id, log_text, *rest, **named)

    lambda_svc._emit_lambda_logs = emit_to_file_too


async def serve(listener: socket.socket) -> None:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    await hypercorn_serve(app, config)


def control(endpoint_url: str, directory: Path) -> None:
    """Answers stdin until it closes, then ends the process."""
    try:
        answer = Answers()
        # The socket listens already: this waits until MiniStack answers, without polling.
        urllib.request.urlopen(f"{endpoint_url}/_ministack/ready").read()
        answer.send({"ready": endpoint_url})
        from deploy import Deployer

        deployer = Deployer(endpoint_url, REGION)
        with ThreadPoolExecutor(max_workers=16) as pool:
            for line in sys.stdin:
                pool.submit(answer.to, json.loads(line), deployer)
    finally:
        end(directory / "tmp")


class Answers:
    """Writes whole lines to stdout, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def to(self, request: dict, deployer) -> None:
        what = {
            "deploy": deployer.deploy,
            "invoke": deployer.invoke,
            "resources": deployer.resources,
            "throttle_schedules": throttle.schedules,
        }
        arguments = {k: v for k, v in request.items() if k not in ("id", "do")}
        try:
            self.send({"id": request["id"], "ok": what[request["do"]](**arguments)})
        except Exception as error:  # whoever asked decides what it means
            self.send({"id": request["id"], "error": f"{error}" or repr(error)})

    def send(self, message: dict) -> None:
        with self._lock:
            print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
