"""Holds the API to its own OpenAPI document with schemathesis: whatever is sent, no 5xx, no status
or header that the document does not name, no answer that its schemas do not fit, nothing bad taken,
nothing good refused, nothing without a key. Standard library only, Python 3.10 and later.

    python3 run.py                       the local stack, about a minute, the same every time
    python3 run.py --minutes 20          longer, and different every time (says its seed)
    python3 run.py --seed 7 -- --include-operation-id findEvents      more for schemathesis

Without --api it takes the stack that `cargo local` keeps up in this clone. With it, keys come from
WEBHOOKS_KEYS, joined by commas: a key may make 600 calls a minute, so several take turns. Ids of
things that exist are found over the API; there must be an endpoint with a delivery. What is tested
gets new endpoints, disabled ones, secrets rotated: no stack that anybody needs. Ends with 0 if all
is well, 1 if not, 2 if it could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = ROOT / ".local" / "fuzz"
CALLS_A_MINUTE = 600
SHORT = {"max-examples": "6", "seed": "1"}
LONG = {"max-examples": "200"}
# About as long each.
PARTS = [
    ["--phases", "coverage", "--include-path-regex", "^/v1/endpoints/"],
    ["--phases", "coverage", "--exclude-path-regex", "^/v1/endpoints/"],
    ["--phases", "examples,fuzzing,stateful"],
]


class CannotRun(Exception):
    """Something is missing; the text says what."""


def main() -> int:
    options = arguments()
    try:
        tool = installed()
        api, keys = stack(options.api)
        given = {"keys": keys, "run": os.urandom(4).hex(), **facts(api, keys[0])}
    except CannotRun as failure:
        print(failure, file=sys.stderr)
        return 2
    command = [str(tool), "--config-file", str(HERE / "schemathesis.toml"), "run"]
    command += [f"{api}v1/openapi.json", "--url", api, *settings(options, len(keys))]
    environment = {**os.environ, "FUZZ": json.dumps(given), "SCHEMATHESIS_HOOKS": "hooks"}
    environment |= {"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    return side_by_side([[*command, *part] for part in PARTS], environment)


def side_by_side(commands: list[list[str]], environment: dict[str, str]) -> int:
    """Runs them all, shows what each said, one after the other. 1 if one of them found anything.

    Processes rather than the tool's own workers: those share Python's parser, which is not safe
    for threads before 3.12. Each has a folder of its own, or it would begin with what an earlier
    run has found.
    """
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        outputs = [Path(place) / str(nth) / "output" for nth in range(len(commands))]
        running = []
        for command, output in zip(commands, outputs):
            output.parent.mkdir()
            with output.open("w") as file:
                started = subprocess.Popen(
                    command, cwd=output.parent, env=environment, stdout=file, stderr=file
                )
            running.append(started)
        worst = max(abs(process.wait()) for process in running)
        for output in outputs:
            print(output.read_text(), flush=True)
    return min(worst, 1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--api", metavar="URL", help="ends in a slash")
    parser.add_argument("--minutes", type=int, help="go on for so long")
    parser.add_argument("--seed", type=int)
    parser.add_argument("more", nargs="*", help="options of schemathesis, behind --")
    return parser.parse_args()


def installed() -> Path:
    """schemathesis in an environment of its own, made on first use."""
    venv = PLACE / "venv"
    maker = ROOT / "infra" / "local" / "make_venv.py"
    made = subprocess.run(
        [sys.executable, str(maker), str(venv), str(HERE / "requirements.txt")],
        stdout=sys.stderr,
        check=False,
    )
    if made.returncode != 0:
        raise CannotRun("schemathesis could not be installed")
    return venv / "bin" / "schemathesis"


def stack(api: str | None) -> tuple[str, list[str]]:
    """The API's address, and keys for it."""
    if api is not None:
        keys = [key for key in os.environ.get("WEBHOOKS_KEYS", "").split(",") if key]
        if not keys:
            raise CannotRun("put API keys of scope operator into WEBHOOKS_KEYS")
        return api, keys
    try:
        local = json.loads((ROOT / ".local" / "stack.json").read_text())
    except OSError as error:
        raise CannotRun("no stack is up here: `cargo local --detach` first, or --api") from error
    return local["api_url"], [local["operator_key"]]


def facts(api: str, key: str) -> dict[str, Any]:
    """An endpoint that deliveries went to: its account, its receiver, ids of what exists, by what
    the paths that take them begin with."""
    endpoints = call(api, key, "v1/endpoints?status=enabled")["data"]
    for endpoint in reversed(endpoints):
        found = call(api, key, f"v1/endpoints/{endpoint['id']}/deliveries")["data"]
        if not found:
            continue
        window = {"from": "2020-01-01T00:00:00Z", "to": "2099-12-31T23:59:59Z"}
        recovery = call(api, key, f"v1/endpoints/{endpoint['id']}/recover", window)
        known = {
            "/v1/recoveries/{id}": [recovery["id"]],
            "/v1/endpoints/{id}": [endpoint["id"]],
            "/v1/deliveries/{id}": [delivery["id"] for delivery in found],
            "/v1/events/{id}": [delivery["event_id"] for delivery in found],
        }
        return {"account": endpoint["account_id"], "receiver": endpoint["url"], "known": known}
    raise CannotRun("no enabled endpoint has a delivery yet: send an event first")


def call(api: str, key: str, path: str, body: dict[str, str] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(api + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ValueError) as error:
        raise CannotRun(f"{api}{path}: {error}") from error


def settings(options: argparse.Namespace, keys: int) -> list[str]:
    chosen = dict(SHORT)
    if options.minutes:
        seed = str(random.randrange(1 << 32))
        chosen = {**LONG, "seed": seed, "max-time": str(60 * options.minutes)}
    if options.seed is not None:
        chosen["seed"] = str(options.seed)
    chosen["rate-limit"] = f"{keys * CALLS_A_MINUTE * 9 // 10 // len(PARTS)}/m"
    print(f"seed {chosen['seed']}", flush=True)
    flags = [part for name, value in chosen.items() for part in (f"--{name}", value)]
    if not options.minutes:
        flags.append("--generation-deterministic")
    return [*flags, *options.more]


if __name__ == "__main__":
    sys.exit(main())
