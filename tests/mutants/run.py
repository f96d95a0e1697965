#!/usr/bin/env python3
"""Puts one deliberate bug after the other into a copy of the code, and lets the simulator find it.

    tests/mutants/run.py [NAME ...]            each bug must be caught by its recorded seed
    tests/mutants/run.py [NAME ...] --write    look for the seeds anew, and record them

Each bug of bugs.json is a replacement in one file. It counts as caught when the history of its
seed fails. With --write the lowest seed that fails is looked for, and recorded in bugs.json and in
the table README.md beside it. Where no history can notice, or hardly one, `test` names a test of
`package` that must fail. Needs cargo and git, works in target/mutants, takes a minute or so for each.
Exit code 0 if every bug is caught.
"""

import json
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPY = ROOT / "target" / "mutants"
HISTORIES = 2_000  # as many as `cargo test` tells
PATIENCE_S = 3_600
OURS = ("domain", "aws", "api", "ingest", "sender", "sweeper", "daily", "local", "tests")
# The suite is built quickly rather than well; what it depends on is built once, in the clone's own
# target folder.
QUICKLY = ["--target-dir", str(ROOT / "target"), "--config", "profile.soak.incremental=true"]
for crate in OURS:
    QUICKLY += ["--config", f"profile.soak.package.{crate}.opt-level=0"]
SOAK = ["cargo", "run", "--quiet", "--profile", "soak", *QUICKLY]
SOAK += ["-p", "tests", "--example", "soak", "--"]
TEST = ["cargo", "test", "--quiet", "--profile", "soak", *QUICKLY]
WHERE = {"domain": ["-p", "domain", "--lib"], "tests": ["-p", "tests", "--test", "all"]}


def main():
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    search = "--write" in sys.argv
    bugs = json.loads((HERE / "bugs.json").read_text())
    unknown = set(names) - {bug["name"] for bug in bugs}
    if unknown:
        raise SystemExit(f"no such bug: {', '.join(sorted(unknown))}")
    chosen = [bug for bug in bugs if not names or bug["name"] in names]
    copy()
    for bug in chosen:
        times = (COPY / bug["file"]).read_text().count(bug["good"])
        if times != 1:
            raise SystemExit(f"{bug['name']}: stands {times} times in {bug['file']}")
    missed = []
    for nth, bug in enumerate(chosen, 1):
        began = time.monotonic()
        print(f"[{nth}/{len(chosen)}] {bug['name']} ", end="", flush=True)
        what = catch(bug, search)
        took = round(time.monotonic() - began)
        who = bug.get("test") or f"seed {bug.get('seed')}"
        print(f"{'caught' if what else 'MISSED'} by {who}, {took} s: {what}", flush=True)
        if not what:
            missed.append(bug["name"])
        if search:
            bug["said"] = what
            (HERE / "bugs.json").write_text(json.dumps(bugs, indent=2) + "\n")
            write(bugs)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} caught")
    return 1 if missed else 0


def copy():
    """The code as it is in this clone, committed or not."""
    COPY.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout.split(b"\0")  # fmt: skip
    for name in filter(None, map(bytes.decode, files)):
        source, there = ROOT / name, COPY / name
        if not source.is_file():
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        if not there.exists() or there.read_bytes() != source.read_bytes():
            there.write_bytes(source.read_bytes())


def catch(bug, search):
    """What was said about the bug; nothing if nobody noticed."""
    path = COPY / bug["file"]
    good = path.read_text()
    path.write_text(good.replace(bug["good"], bug["bad"]))
    try:
        return by_test(bug) if "test" in bug else by_seed(bug, search)
    finally:
        path.write_text(good)


def by_seed(bug, search):
    search = search or "seed" not in bug
    which = ["--histories", str(HISTORIES)] if search else ["--seed", str(bug["seed"])]
    run = start([*SOAK, *which, "--stop", "1", *bug.get("with", [])])
    if "violations" not in run.stdout:
        raise SystemExit(f"does not build, or ended badly:\n{run.stderr[-2000:]}")
    found = re.search(r"^seed (\d+): (.*)$", run.stdout, re.MULTILINE)
    if not found:
        return ""
    bug["seed"] = int(found[1])
    what = re.sub(r"(dlv|evt|rec)_[0-9a-z_]+", r"\1_…", found[2])
    return re.split(r": (?:Job|Health) \{|; one of them: ", what)[0]


def by_test(bug):
    run = start([*TEST, *WHERE[bug["package"]], bug["test"]])
    if "test result" not in run.stdout:
        raise SystemExit(f"does not build:\n{run.stderr[-2000:]}")
    return f"{bug['test']} fails" if "FAILED" in run.stdout else ""


def start(command):
    try:
        return subprocess.run(command, cwd=COPY, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"not done after {PATIENCE_S} s: {' '.join(command)}") from None


def write(bugs):
    lines = [
        "# Deliberate bugs, and what catches each",
        "",
        "Made by `tests/mutants/run.py --write`; what each bug is stands in `bugs.json`, and",
        "`tests/mutants/run.py` puts them in again, one after the other, and wants each caught. A history",
        "with its story: `cargo run --profile soak -p tests --example soak -- --seed N`, in a copy with the",
        "bug. Those with a decision behind them take back what mends a thing that the simulator once found.",
        "",
        "| bug | where | caught by | what it says |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for bug in bugs:
        who = f"`{bug['test']}`" if "test" in bug else f"seed {bug.get('seed')}"
        who += f" `{' '.join(bug['with'])}`" if "with" in bug else ""
        if not bug.get("said"):
            who = "**missed**" if "said" in bug else "not run yet"
        name = bug["name"] + (f" ({bug['decision']})" if "decision" in bug else "")
        lines.append(f"| {name} | `{bug['file']}` | {who} | {bug.get('said', '')} |")
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
