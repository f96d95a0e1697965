"""Deploys with `sam deploy`, updates under load to a changed template and changed code, deletes.

    python3 tests/soak/update.py --sam .local/sam/bin/sam [--events 2000] [--seconds 60] [--built]

Everything on the emulator (infra/local/emulator.py), by infra/samconfig.toml, stage dev but for
what the emulator needs: Stage local, so that a receiver on loopback may be called. While events
flow to EventsQueue, the stack is updated: another code for each function, and other settings of the
sender and of a queue. At the end the ids that were sent are compared with those that arrived; it
fails if one is missing. Then `sam delete`.

With --built it deploys what `sam build` left in .aws-sam/build, for the processor that was built
for, if this machine can run that (infra/deploy.md, on rehearsing); without, a debug build.
Run by the Python of .local/venv, which `cargo local` makes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import yaml

HERE = Path(__file__).resolve().parent
CLONE = HERE.parents[1]
sys.path[:0] = [str(HERE), str(CLONE / "infra" / "local")]

from deploy import TemplateLoader, functions_of, plain  # noqa: E402
from kill import Customer, Stack, event_id, send  # noqa: E402

REGION = "us-east-1"
NAME = "rackwave-webhooks-dev"
PROCESSORS = {0x3E: "x86_64", 0xB7: "arm64"}  # ELF's e_machine
PARAMETERS = {
    "Stage": "local",
    "AllowInsecureTargets": "true",
    "RetryDelaysSeconds": "2,4,6,8",
    "GiveUpAfterSeconds": "600",
    "SqsDelayMaxSeconds": "3",
}
# What the update changes beside the code.
CHANGED = {
    ("SenderFunction", "MemorySize"): 576,
    ("SenderFunction", "Timeout"): 59,
    ("RejectedQueue", "MessageRetentionPeriod"): 1_209_599,
}


class Emulator:
    """The emulator as a child; it ends when its stdin closes."""

    def __init__(self, directory: Path) -> None:
        self.log = open(directory / "emulator.log", "w")
        self.process = subprocess.Popen(
            [sys.executable, str(CLONE / "infra/local/emulator.py"), "--dir", str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip
        self.url = json.loads(self.process.stdout.readline())["ready"]

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


class Sam:
    """`sam`, with everything it calls on the emulator."""

    def __init__(self, command: str, url: str, home: Path, processor: str) -> None:
        self.command = shutil.which(command) or sys.exit(f"no sam at {command}")
        self.parameters = PARAMETERS | {"Architecture": processor}
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = kept | {
            "HOME": str(home),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    def deploy(self, template: Path) -> None:
        overrides = [f"{name}={value}" for name, value in self.parameters.items()]
        self.run(
            "deploy", "--config-file", str(CLONE / "infra/samconfig.toml"), "--config-env", "dev",
            "--template-file", str(template), "--region", REGION,
            "--parameter-overrides", *overrides,
        )  # fmt: skip

    def delete(self) -> None:
        self.run("delete", "--stack-name", NAME, "--region", REGION, "--no-prompts")

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.command, *arguments], env=self.environment, cwd=CLONE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        print("\n".join(done.stdout.splitlines()[-6:]))
        if done.returncode:
            sys.exit(f"sam {arguments[0]} ended with {done.returncode}:\n{done.stdout[-4000:]}")


def assembled(binaries: Path, to: Path) -> Path:
    """What `sam build` makes, of binaries that are built already."""
    body = yaml.load((CLONE / "template.yaml").read_text(), TemplateLoader)
    for function, binary in functions_of(body).items():
        folder = to / function
        folder.mkdir(parents=True)
        shutil.copy2(binaries / binary, folder / "bootstrap")
        subprocess.run(["strip", str(folder / "bootstrap")], check=False)
        body["Resources"][function]["Properties"]["CodeUri"] = function
    template = to / "template.yaml"
    template.write_text(json.dumps(body, default=plain))
    return template


def processor_of(template: Path) -> str:
    """What the functions are built for; ends everything if this machine cannot run that."""
    body = yaml.load(template.read_text(), TemplateLoader)
    function = next(iter(functions_of(body)))
    program = template.parent / body["Resources"][function]["Properties"]["CodeUri"] / "bootstrap"
    with open(program, "rb") as file:
        processor = PROCESSORS[int.from_bytes(file.read(20)[18:], "little")]
    try:
        # Outside Lambda it says so and ends; an emulator that lacks a library ends with 255.
        status = subprocess.run([program], env={}, capture_output=True, timeout=60).returncode
    except OSError:
        status = 255
    if status == 255:
        sys.exit(f"this machine does not run {processor}; infra/deploy.md says what to install")
    return processor


def changed(template: Path, to: Path) -> Path:
    """The same stack with other settings, and other bytes behind each function."""
    shutil.copytree(template.parent, to)
    body = yaml.load((to / template.name).read_text(), TemplateLoader)
    for function in functions_of(body):
        folder = to / body["Resources"][function]["Properties"]["CodeUri"]
        with open(folder / "bootstrap", "ab") as code:
            code.write(b"changed")  # behind the end of the program
    for (logical, name), value in CHANGED.items():
        properties = body["Resources"][logical]["Properties"]
        if properties.get(name) == value:
            sys.exit(f"{logical} has this {name} already: that is no change")
        properties[name] = value
    (to / template.name).write_text(json.dumps(body, default=plain))
    return to / template.name


def client(service: str, url: str):
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name=REGION, **credentials)


def described(emulator: Emulator, to: Path) -> Path:
    """The deployed stack, as `cargo local` describes one."""
    stack = client("cloudformation", emulator.url).describe_stacks(StackName=NAME)["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    told = {
        "endpoint_url": emulator.url,
        "region": REGION,
        "api_url": outputs["ApiUrl"],
        "operator_key": None,
        "outputs": outputs,
        "pids": [emulator.process.pid],
    }
    file = to / "stack.json"
    file.write_text(json.dumps(told))
    cli = CLONE / "target" / "debug" / "webhooks"
    made = subprocess.run(
        [cli, "keys", "create", "--scope", "operator", "--json"],
        env={**os.environ, "WEBHOOKS_STACK_FILE": str(file)}, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    told["operator_key"] = json.loads(made.stdout)["key"]
    file.write_text(json.dumps(told))
    return file


def code_of(stack: Stack) -> dict[str, str]:
    """What each function runs."""
    functions = client("lambda", stack.endpoint)
    names = [name for name in stack.queues if name.endswith("Function")]
    return {
        name: functions.get_function_configuration(FunctionName=stack.queues[name])["CodeSha256"]
        for name in names
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sam", default="sam")
    parser.add_argument("--built", action="store_true")
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60, help="how long events are sent")
    parser.add_argument("--patience", type=float, default=900, help="s until queues are empty")
    options = parser.parse_args()
    work = CLONE / ".local" / "update"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    built = CLONE / ".aws-sam" / "build" / "template.yaml"
    print("== cargo build", flush=True)
    functions = [] if options.built else [each.name for each in (CLONE / "functions").iterdir()]
    wanted = [f"--package={name}" for name in ("cli", *functions)]
    subprocess.run(["cargo", "build", "--quiet", *wanted], cwd=CLONE, check=True)
    if not options.built:
        built = assembled(CLONE / "target" / "debug", work / "built")
    processor = processor_of(built)
    emulator = Emulator(work)
    try:
        sam = Sam(options.sam, emulator.url, work, processor)
        return journey(options, emulator, sam, built, work)
    finally:
        emulator.end()


def journey(options, emulator: Emulator, sam: Sam, built: Path, work: Path) -> int:
    print("== sam deploy")
    sam.deploy(built)
    stack = Stack(described(emulator, work))
    customer = Customer(work / "received", random.Random(1))
    stack.register("acct_update", customer.url)
    names = [f"u{nth}" for nth in range(options.events)]
    before, began = code_of(stack), time.monotonic()
    sending = threading.Thread(target=send, args=(stack, "acct_update", names, options.seconds))
    sending.start()
    while len(customer.posts) < options.events / 10:
        time.sleep(0.1)
    print("== sam deploy, while events flow")
    at_begin = len(customer.posts)
    sam.deploy(changed(built, work / "changed"))
    at_end, still_sending = len(customer.posts), sending.is_alive()
    after = code_of(stack)
    sending.join()
    while stack.waiting() or time.monotonic() < customer.last + 20:
        if time.monotonic() > began + options.seconds + options.patience:
            print(f"{stack.waiting()} messages still wait")
            return 1
        time.sleep(1)
    seen = {event for event, _attempt, status in customer.posts if status == 200}
    missing = {event_id("acct_update", name) for name in names} - seen
    figures = {
        "processor": sam.parameters["Architecture"],
        "sent": len(names),
        "missing": len(missing),
        "posts": len(customer.posts),
        "posts_during_the_update": at_end - at_begin,
        "still_sending_after_it": still_sending,
        "functions_with_other_code": sum(before[name] != after[name] for name in before),
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(figures, indent=2))
    print("== sam delete")
    sam.delete()
    left = client("sqs", emulator.url).list_queues().get("QueueUrls", [])
    under_load = at_end > at_begin and figures["functions_with_other_code"] == len(before)
    if left:
        print(f"left behind: {left}")
    return 0 if not missing and under_load and not left else 1


if __name__ == "__main__":
    sys.exit(main())
