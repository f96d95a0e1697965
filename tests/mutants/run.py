#!/usr/bin/env python3
"""Puts one deliberate bug after the other into a copy of the code, and lets the simulator find it.

    tests/mutants/run.py [NAME ...] [--write]

Each bug of bugs.json is a replacement in one file. It counts as caught when a history of the soak
example fails; the first seed that does is printed, and with --write goes into the table README.md
beside this file. Needs cargo and git, works in target/mutants, and takes about a minute for each.
Exit code 0 if every bug is caught.
"""

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPY = ROOT / "target" / "mutants"
HISTORIES = 4_000  # as many as two runs of `cargo test` tell


def main():
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    bugs = json.loads((HERE / "bugs.json").read_text())
    chosen = [bug for bug in bugs if not names or bug["name"] in names]
    copy()
    results = [(bug, *seed_that_catches(bug)) for bug in chosen]
    if "--write" in sys.argv:
        write(results)
    missed = [bug["name"] for bug, seed, _ in results if seed is None]
    print(f"{len(results) - len(missed)} of {len(results)} caught")
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


def seed_that_catches(bug):
    """The first seed that catches it, and what it showed; None if none does."""
    path = COPY / bug["file"]
    good = path.read_text()
    if good.count(bug["good"]) != 1:
        raise SystemExit(f"{bug['name']}: stands {good.count(bug['good'])} times in {bug['file']}")
    path.write_text(good.replace(bug["good"], bug["bad"]))
    try:
        command = ["cargo", "run", "--quiet", "--profile", "soak", "-p", "tests", "--example", "soak"]
        command += ["--", "--histories", str(HISTORIES), "--stop", "1", *bug.get("with", [])]
        run = subprocess.run(command, cwd=COPY, capture_output=True, text=True)
    finally:
        path.write_text(good)
    if "violations" not in run.stdout:
        raise SystemExit(f"{bug['name']} does not build:\n{run.stderr[-2000:]}")
    found = re.search(r"^seed (\d+): (.*)$", run.stdout, re.MULTILINE)
    seed, what = (int(found[1]), found[2]) if found else (None, "")
    what = re.sub(r"(dlv|evt|rec)_[0-9a-z_]+", r"\1_…", what)
    what = what.split(": Job {")[0]
    print(f"{'caught' if found else 'MISSED'}  {bug['name']}: seed {seed}, {what}", flush=True)
    return seed, what


def write(results):
    lines = [
        "# Deliberate bugs, and the seed that caught each",
        "",
        "Made by `tests/mutants/run.py --write`; what each bug is stands in `bugs.json`. A history with",
        "its story: `cargo run --profile soak -p tests --example soak -- --seed N`, in a copy with the bug.",
        "",
        "| bug | where | seed | what the model said |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for bug, seed, what in results:
        seed = "**missed**" if seed is None else str(seed)
        seed += f" `{' '.join(bug['with'])}`" if "with" in bug else ""
        lines.append(f"| {bug['name']} | `{bug['file']}` | {seed} | {what} |")
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
