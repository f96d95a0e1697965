"""Runs the commands of infra/runbook.md on a local stack, so that they stay true.

    python3 tests/runbook/run.py [--stack .local/stack.json]     run by the Python of .local/venv

Every `webhooks …` is run, with ids of the stack for dlv_…, ep_… and so on, and must answer. Every
`aws …`, in all pages of infra/, must be a command with options that AWS knows, by botocore's
models; the runbook's are made on the emulator, but for those that it does not know (below). Every
log query must ask for messages and fields that the functions write.

The stack needs an endpoint with a delivery, and its sweeper must come by, as `cargo local`'s does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import boto3
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

CLONE = Path(__file__).resolve().parents[2]
RUNBOOK = CLONE / "infra" / "runbook.md"
CLI = CLONE / "target" / "debug" / "webhooks"

# Options of the AWS CLI itself, and whether a value follows.
GLOBAL = {"--query": True, "--output": True, "--cli-binary-format": True, "--region": True}
# `aws logs tail` is the AWS CLI's own; it calls FilterLogEvents.
TAIL = {"--since", "--filter-pattern"}
# What the emulator does not know -> why it matters little here.
NOT_ON_THE_EMULATOR = {
    "cloudformation detect-stack-drift": "it compares nothing",
    "events enable-rule": "the rule's name is the answer of the command before it",
}
# What stands for a value that depends on the case.
VALUES = {
    "--log-group-name": "/aws/lambda/{stack}-sweeper",
    "--start-time": "0",
    "--end-time": "2000000000",
    "--query-string": "fields @message",
}


def commands(page: Path, program: str) -> list[str]:
    """The code of a page that begins with a program's name, each once."""
    text = page.read_text("utf-8")
    spans = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text)
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S)).replace("\\\n", " ")
    found = [" ".join(span.split()) for span in [*spans, *blocks.splitlines()]]
    return sorted({each for each in found if each.startswith(f"{program} ")})


class Trouble(Exception):
    pass


class Stack:
    """A stack as `cargo local` describes it, and what stands for the runbook's placeholders."""

    def __init__(self, file: Path) -> None:
        self.file = file
        told = json.loads(file.read_text())
        self.endpoint, self.region, self.outputs = (
            told["endpoint_url"], told["region"], told["outputs"],
        )  # fmt: skip
        self.name = self.outputs["EventsQueueUrl"].rsplit("/", 1)[1].removesuffix("-events")
        endpoints = self.ask("endpoints", "list")["data"]
        deliveries = [
            (endpoint["id"], delivery)
            for endpoint in endpoints
            for delivery in self.ask("deliveries", "list", endpoint["id"])["data"]
        ]
        if not deliveries:
            sys.exit("the stack has no delivery yet; `webhooks send` makes one")
        endpoint, delivery = deliveries[0]
        key = self.ask("keys", "create", "--scope", "operator")["id"]
        self.ids = {
            "ep_…": endpoint, "dlv_…": delivery["id"], "evt_…": delivery["event_id"], "key_…": key,
        }  # fmt: skip

    def cli(self, *arguments: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "WEBHOOKS_STACK_FILE": str(self.file)}
        return subprocess.run(
            [CLI, *arguments], env=environment, capture_output=True, text=True, timeout=300
        )

    def ask(self, *arguments: str) -> dict:
        return json.loads(self.cli(*arguments, "--json").stdout)

    def filled(self, command: str) -> str:
        """With this stack's names for what the page leaves open."""
        sender = self.outputs["SenderFunction"]
        names = {
            **self.ids,
            "$STACK": self.name,
            "$SWEEPER": self.outputs["SweeperFunction"],
            "$DAILY": self.outputs["DailyFunction"],
            "$SENDER": sender,
            "$SEND_DLQ_URL": self.outputs["SendDlqUrl"],
            "<the function's>": self.arn_of(self.outputs["SweeperFunction"]),
            "<function>": "ingest",
            "<output RetryScheduleGroup>": self.outputs["RetryScheduleGroup"],
            "<that rule>": "a-rule",
            "<its uuid>": self.mapping_of(sender),
        }
        for placeholder, value in names.items():
            command = command.replace(placeholder, value)
        return command

    def arn_of(self, function: str) -> str:
        return self.client("lambda").get_function_configuration(FunctionName=function)[
            "FunctionArn"
        ]

    def mapping_of(self, function: str) -> str:
        found = self.client("lambda").list_event_source_mappings(FunctionName=function)
        return found["EventSourceMappings"][0]["UUID"]

    def client(self, service: str):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=self.region, **keys
        )


def run_cli(stack: Stack, command: str) -> None:
    """0 and 1 are answers; 2 is wrong usage, 3 stands in the way of one."""
    done = stack.cli(*shlex.split(stack.filled(command))[1:])
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise Trouble(f"ended with {done.returncode}: {done.stdout}{done.stderr}")


def check_queries(text: str) -> list[str]:
    """Messages and fields of the log queries that no function writes."""
    code = "".join(
        file.read_text("utf-8")
        for folder in ("functions", "shared")
        for file in sorted((CLONE / folder).glob("**/src/**/*.rs"))
    )
    wrong = []
    rows = re.findall(r"^\| ([A-Z]) \| [\w, ]+ \| `(.*)`", text, re.M)
    if len(rows) < 10:
        wrong.append(f"only {len(rows)} queries are found")
    for name, query in rows:
        query = query.replace("\\|", "|")
        for message in re.findall(r'message (?:=|in) (\[[^\]]*\]|"[^"]*")', query):
            for each in re.findall(r'"([^"]*)"', message):
                if f'"{each}"' not in code:
                    wrong.append(f"query {name}: nobody logs {each!r}")
        bare = re.sub(r'"[^"]*"|/[^/]*/|@\w+', "", query)
        words = set(re.findall(r"\b[a-z][a-z_]*_[a-z]+\b|\bfinding\b|\btrouble\b|\broute\b", bare))
        for field in sorted(words):
            if not re.search(rf"\b{field}\b\s*[=,]", code):
                wrong.append(f"query {name}: nobody logs a field {field}")
    return wrong


def parsed(command: str) -> tuple[str, str, list[str], dict[str, str | None]]:
    """Service, operation, what stands alone, and options of an `aws` command."""
    words = shlex.split(command.split(" $(")[0])
    service, operation, rest = words[1], words[2], words[3:]
    alone, options = [], {}
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            alone.append(word)
            continue
        takes_one = rest and not rest[0].startswith("--")
        if word.startswith("--no-") or word == "--enable-termination-protection":
            takes_one = False
        options[word] = rest.pop(0) if takes_one else None
    return service, operation, alone, options


def call_of(command: str) -> tuple[str, str, dict]:
    """The call that a command makes, as boto3 takes it; Trouble if AWS does not know it."""
    service, operation, alone, options = parsed(command)
    options = {name: value for name, value in options.items() if name not in GLOBAL}
    if (service, operation) == ("logs", "tail"):
        if len(alone) != 1 or options.keys() - TAIL:
            raise Trouble("`aws logs tail` takes a group, --since and --filter-pattern")
        call = {"logGroupName": alone[0]}
        if "--filter-pattern" in options:
            call["filterPattern"] = options["--filter-pattern"]
        return service, "filter_log_events", call
    session = boto3.Session(region_name="us-east-1")
    if service not in session.get_available_services():
        raise Trouble(f"there is no service {service}")
    model = session.client(service, aws_access_key_id="-", aws_secret_access_key="-")
    methods = {xform_name(name, "-"): name for name in model.meta.service_model.operation_names}
    if operation not in methods:
        raise Trouble(f"{service} has no {operation}")
    shape = model.meta.service_model.operation_model(methods[operation]).input_shape
    members = {f"--{xform_name(name, '-')}": (name, each) for name, each in shape.members.items()}
    call = {}
    for option, value in options.items():
        known = option if option in members else f"--{option.removeprefix('--no-')}"
        if known not in members:
            raise Trouble(f"{service} {operation} has no {option}")
        name, member = members[known]
        if member.type_name == "boolean":
            call[name] = not option.startswith("--no-")
        else:
            call[name] = value
    return service, xform_name(methods[operation]), call


def make(stack: Stack, command: str) -> str:
    """Makes a command's call on the emulator; answers what became of it."""
    command = stack.filled(command)
    service, operation, _alone, options = parsed(command)
    if f"{service} {operation}" in NOT_ON_THE_EMULATOR:
        call_of(command)
        return f"known to AWS; not made: {NOT_ON_THE_EMULATOR[f'{service} {operation}']}"
    for name, value in options.items():
        if value == "…":
            value = VALUES[name].format(stack=stack.name)
            command = command.replace(f"{name} …", f"{name} '{value}'")
    service, method, call = call_of(command)
    call = {k: int(v) if k in ("startTime", "endTime") else v for k, v in call.items()}
    answer = getattr(stack.client(service), method)(**call)
    if "FunctionError" in answer:
        raise Trouble(answer["Payload"].read().decode())
    return "made"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stack", type=Path, default=Path(".local/stack.json"))
    stack = Stack(parser.parse_args().stack)
    wrong = check_queries(RUNBOOK.read_text("utf-8"))
    for command in commands(RUNBOOK, "webhooks"):
        try:
            run_cli(stack, command)
            print(f"ok  {command}")
        except Trouble as trouble:
            wrong.append(f"{command}: {trouble}")
    for page in sorted((CLONE / "infra").glob("*.md")):
        for command in commands(page, "aws"):
            try:
                done = make(stack, command) if page == RUNBOOK else "known to AWS"
                if page != RUNBOOK:
                    call_of(command)
                print(f"ok  {page.name}: {command}: {done}")
            except (Trouble, ClientError, BotoCoreError, KeyError, IndexError) as trouble:
                wrong.append(f"{page.name}: {command}: {trouble!r}")
    for each in wrong:
        print(f"FAILED  {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
