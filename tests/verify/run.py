"""Proves that receivers can verify what we send: with unmodified libraries, and with the README's
own snippets. Standard library only, Python 3.10 and later.

    python3 run.py --self-test                 deliveries signed here, from design 4.2 alone
    python3 run.py --captures DIR              deliveries as a receiver of the stack got them
    python3 run.py --readme README.md          the snippets stand in it, word for word
    python3 run.py --install                   fetch the tools now, so that a later run is quick

May be combined. A capture is a file *.json of {"secret", "previous_secret" (during a rotation,
optional), "method", "path", "headers" (object or pairs), "body_base64"}, and must be judged within
five minutes: the libraries look at the clock. Ends with 0 if every verdict is as it should be,
1 if one is not, 2 if something could not be installed, started or read.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import receivers
from captures import TOLERANCE_S, BadCapture, Capture, Change, changed, load, self_made
from receivers import AGAIN, SNIPPETS, CannotRun
from tools import HERE, CannotInstall, Tools, install

JUDGES_DEADLINE_S = 120
COLUMNS = [*(change.value for change in Change), AGAIN, "kept once"]
# X-Webhook-Signature covers the body alone, and these look at nothing else.
NO_CLOCK = ("gidgethub", "@octokit/webhooks-methods")


@dataclass(frozen=True)
class Check:
    checker: str
    runtime: str
    capture: str
    change: str
    verdict: str
    expected: str

    @property
    def ok(self) -> bool:
        return self.verdict == self.expected


def main() -> int:
    options = arguments()
    try:
        checks = list(all_checks(options))
    except (BadCapture, CannotInstall, CannotRun) as failure:
        print(failure, file=sys.stderr)
        return 2
    good = all(check.ok for check in checks)
    if options.json:
        shown = [{**asdict(check), "ok": check.ok} for check in checks]
        print(json.dumps({"ok": good, "checks": shown}, indent=1))
    else:
        print_table(checks)
    return 0 if good else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--captures", type=Path, metavar="DIR")
    parser.add_argument("--readme", type=Path, metavar="FILE")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--json", action="store_true", help="verdicts for programs")
    options = parser.parse_args()
    if not (options.self_test or options.captures or options.readme or options.install):
        parser.error("nothing to do: --self-test, --captures, --readme or --install")
    return options


def all_checks(options: argparse.Namespace) -> Iterator[Check]:
    if options.readme:
        yield from readme_checks(options.readme)
    if not (options.self_test or options.captures or options.install):
        return
    tools = install()  # before the clock is looked at: it may take a while
    captures = load(options.captures) if options.captures else []
    captures += self_made() if options.self_test else []
    for capture in captures:
        refuse_if_old(capture)
    if captures:
        yield from library_checks(tools, captures)
        for snippet in receivers.snippets(tools):
            for judged in receivers.judge(snippet, captures):
                yield Check(snippet.file.name, snippet.runtime, **asdict(judged))


def refuse_if_old(capture: Capture) -> None:
    at = capture.header("webhook-timestamp")
    if not at.isdecimal() or capture.header("X-Webhook-Timestamp") != at:
        raise BadCapture(f"{capture.name}: the two timestamps are not the same Unix seconds")
    age = int(time.time()) - int(at)
    if abs(age) > TOLERANCE_S - 60:
        raise BadCapture(f"{capture.name}: {age} s old; judge captures within four minutes")


def readme_checks(readme: Path) -> Iterator[Check]:
    try:
        text = readme.read_text()
    except OSError as error:
        raise BadCapture(f"{readme}: {error.strerror}") from error
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for file in sorted(SNIPPETS.glob("receiver.*")):
        verdict = "there" if file.read_text() in blocks else "missing or not the same"
        yield Check(file.name, "-", readme.name, "in README", verdict, "there")


def library_checks(tools: Tools, captures: list[Capture]) -> Iterator[Check]:
    cases = [(capture, change) for capture in captures for change in Change]
    given = json.dumps([case(changed(capture, change)) for capture, change in cases])
    for runtime, command in (
        ("python", [str(tools.python), str(HERE / "libraries.py")]),
        ("node", [str(tools.node), str(tools.modules / "libraries.mjs")]),
    ):
        for library, answer in ask(command, given).items():
            for (capture, change), verdict in zip(cases, answer["verdicts"], strict=True):
                if expected := what_is_right(library, change):
                    name = f"{library} {answer['version']}"
                    yield Check(name, runtime, capture.name, change.value, verdict, expected)


def case(capture: Capture) -> dict[str, object]:
    return {
        "standard_secret": capture.standard_secret,
        "rackwave_secret": capture.rackwave_secret,
        "rackwave_signature": capture.header("X-Webhook-Signature"),
        "headers": dict(capture.headers),
        "body_base64": base64.b64encode(capture.body).decode(),
    }


def what_is_right(library: str, change: Change) -> str | None:
    if receivers.is_late(change) and library in NO_CLOCK:
        return None
    return "accepted" if change is Change.NONE else "refused"


def ask(command: list[str], given: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=JUDGES_DEADLINE_S
        )
    except subprocess.TimeoutExpired as error:
        raise CannotRun(f"{command[-1]} took over {JUDGES_DEADLINE_S} s") from error
    if done.returncode != 0:
        raise CannotRun(f"{done.stderr[-2000:]}\n{command[-1]} failed")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def print_table(checks: list[Check]) -> None:
    """A row for each checker, good verdicts of all in each column; then what was not as it should
    be."""
    columns = [name for name in [*COLUMNS, "in README"] if any(c.change == name for c in checks)]
    rows = [["", "run by", *columns]]
    for checker, runtime in dict.fromkeys((c.checker, c.runtime) for c in checks):
        of = [c for c in checks if (c.checker, c.runtime) == (checker, runtime)]
        rows.append([checker, runtime, *(cell(of, column) for column in columns)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if checks else []:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )
    wrong = [check for check in checks if not check.ok]
    for c in wrong:
        print(f"WRONG {c.checker}, {c.capture}, {c.change}: {c.verdict} (not {c.expected})")
    print(f"{len(checks)} verdicts, {len(wrong)} wrong")


def cell(checks: list[Check], column: str) -> str:
    of = [check.ok for check in checks if check.change == column]
    return f"{sum(of)}/{len(of)}" if of else "-"


if __name__ == "__main__":
    sys.exit(main())
