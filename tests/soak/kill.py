"""Kills functions of a running local stack at random, and counts what their customer sees.

    cargo local --detach --no-demo --retry-delays 2,4,6,8 --give-up-after 300 \
        --param SqsDelayMaxSeconds=3
    python3 tests/soak/kill.py [--events 3000] [--seconds 60] [--seed 1]

Nothing of the suite is used but what anybody has: its API, its queue, and HTTP. A receiver of its
own fails some requests and is slow with others; events go to EventsQueue while processes of the
functions get SIGKILL. When the queues are empty, the ids that were sent are compared with those
that arrived. It fails if one is missing, or if more came twice than were in the air at the kills.

A wake-up whose sender was killed is handed out again after the queue's six minutes: have patience.
Standard library only.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import hmac
import json
import os
import random
import signal
import sys
import threading
import time
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PRODUCT, PER_MESSAGE, PER_REQUEST = "migosmtp", 10, 10
# After its answer a POST is still in the air until the sender has committed it; on a busy machine
# the emulator's store takes its time.
COMMIT_S = 1.0


class Customer:
    """A receiver that keeps every request it saw, in a file, too."""

    def __init__(self, file: Path, dice: random.Random) -> None:
        self.lock = threading.Lock()
        self.posts: list[tuple[str, str, int]] = []  # webhook-id, attempt, status
        self.failures: Counter[str] = Counter()
        self.open: dict[int, float] = {}  # request -> when it was answered, or infinity
        self.last = time.monotonic()
        self.dice = dice
        self.file = open(file, "w", buffering=1)
        customer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                customer.answer(self)

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        event, attempt = request.headers["webhook-id"], request.headers["X-Webhook-Attempt"]
        with self.lock:
            number = len(self.open)
            self.open[number] = float("inf")
            # Five failures end a delivery for good, so no event fails more than twice.
            fails = self.failures[event] < 2 and self.dice.random() < 0.3
            self.failures[event] += fails
            wait = self.dice.choice((0, 0, 0.05, 0.3))
        request.rfile.read(int(request.headers["Content-Length"]))
        time.sleep(wait)
        status = 500 if fails else 200
        with self.lock:
            self.last = self.open[number] = time.monotonic()
            self.posts.append((event, attempt, status))
            self.file.write(f"{event} {attempt} {status}\n")
        try:
            request.send_response(status)
            request.send_header("Content-Length", "0")
            request.end_headers()
        except OSError:
            pass  # whoever asked was killed

    def in_the_air(self) -> tuple[set[int], set[int]]:
        """Requests not answered yet, and those answered a moment ago."""
        now = time.monotonic()
        with self.lock:
            young = {n: at for n, at in self.open.items() if at > now - COMMIT_S}
        unanswered = {n for n, at in young.items() if at == float("inf")}
        return unanswered, young.keys() - unanswered


class Stack:
    """What `cargo local` wrote down about itself, and its queue."""

    def __init__(self, file: Path) -> None:
        told = json.loads(file.read_text())
        self.endpoint, self.region = told["endpoint_url"], told["region"]
        self.api, self.key = told["api_url"], told["operator_key"]
        self.queues, self.pids = told["outputs"], told["pids"]

    def register(self, account: str, url: str) -> str:
        body = {
            "account_id": account,
            "url": url,
            "event_types": ["*"],
            "alert_email": "ops@example.com",
        }
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return post(f"{self.api}v1/endpoints", json.dumps(body).encode(), headers)["id"]

    def sqs(self, action: str, body: dict) -> dict:
        payload = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{action}",
        }
        return post(f"{self.endpoint}/", payload, headers | self.signature(payload, headers))

    def signature(self, payload: bytes, headers: dict) -> dict:
        """AWS's signature, version 4."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        signed = {k.lower(): v for k, v in headers.items()}
        signed |= {"host": urlsplit(self.endpoint).netloc, "x-amz-date": now}
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        digest = hashlib.sha256(payload).hexdigest()
        request = f"POST\n/\n\n{lines}\n{names}\n{digest}"
        scope = f"{now[:8]}/{self.region}/sqs/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = b"AWS4test"
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        mac = hmac.digest(key, text.encode(), "sha256").hex()
        value = f"AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders={names}, Signature={mac}"
        return {"X-Amz-Date": now, "Authorization": value}

    def waiting(self) -> int:
        """Messages in the queues of work: visible, in work, or delayed."""
        names = [
            f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")
        ]
        total = 0
        for queue in ("EventsQueueUrl", "SendQueueUrl", "RetryQueueUrl"):
            body = {"QueueUrl": self.queues[queue], "AttributeNames": names}
            total += sum(map(int, self.sqs("GetQueueAttributes", body)["Attributes"].values()))
        return total

    def functions(self) -> list[int]:
        """The processes of functions: children of the stack's own, named `bootstrap`."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, rest = stat.read_text().split(")", 1)
            except OSError:
                continue
            if int(rest.split()[1]) in self.pids and name.endswith("(bootstrap"):
                found.append(int(stat.parent.name))
        return found


def post(url: str, body: bytes, headers: dict) -> dict:
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def event_id(account: str, name: str) -> str:
    """The derived id, as the README promises it to products."""
    fields = b"".join(
        len(f.encode()).to_bytes(4, "big") + f.encode() for f in ("id", account, PRODUCT, name)
    )
    return "evt_" + hashlib.sha256(fields).hexdigest()[:32]


def event(account: str, name: str) -> dict:
    return {
        "id": name,
        "account_id": account,
        "event": "email.delivered",
        "product": PRODUCT,
        "platform_id": "1",
        "timestamp": "2026-06-07T09:39:00Z",
        "data": {"message_id": name},
    }


def send(stack: Stack, account: str, names: list[str], seconds: float) -> None:
    """Spread over the time of the kills."""
    bodies = [names[at : at + PER_MESSAGE] for at in range(0, len(names), PER_MESSAGE)]
    requests = [bodies[at : at + PER_REQUEST] for at in range(0, len(bodies), PER_REQUEST)]
    for request in requests:
        entries = [
            {"Id": str(at), "MessageBody": json.dumps([event(account, name) for name in body])}
            for at, body in enumerate(request)
        ]
        body = {"QueueUrl": stack.queues["EventsQueueUrl"], "Entries": entries}
        if stack.sqs("SendMessageBatch", body).get("Failed"):
            sys.exit("EventsQueue refused a message")
        time.sleep(seconds / len(requests))


def is_sender(process: int) -> bool:
    try:
        return b"-SenderFunction-" in Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return False


def kill(stack: Stack, customer: Customer, dice: random.Random, seconds: float) -> dict:
    """How many processes were killed, and how many POSTs were in the air when it was a sender."""
    killed, senders, unanswered, answered = 0, 0, set(), set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(dice.uniform(0.2, 1.5))
        processes = stack.functions()
        if processes:
            process = dice.choice(processes)
            if is_sender(process):
                senders += 1
                at_work, just_done = customer.in_the_air()
                unanswered |= at_work
                answered |= just_done
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
    return {
        "killed": killed,
        "senders_killed": senders,
        "unanswered_at_the_kills": len(unanswered),
        "answered_within_1_s_before": len(answered - unanswered),
    }


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=60, help="how long to kill")
    parser.add_argument("--patience", type=float, default=1800, help="s until queues are empty")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stack", type=Path, default=Path(".local/stack.json"))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    stack = Stack(options.stack)
    received = options.stack.parent / "kill.received"
    customer = Customer(received, random.Random(options.seed + 1))
    account = f"acct_kill_{os.getpid()}_{int(time.time())}"
    stack.register(account, customer.url)
    names = [f"k{nth}" for nth in range(options.events)]
    began = time.monotonic()
    sending = threading.Thread(target=send, args=(stack, account, names, options.seconds / 2))
    sending.start()
    kills = kill(stack, customer, dice, options.seconds)
    sending.join()
    print(f"{options.events} events sent, {kills['killed']} processes killed; until queues are empty")
    deadline = time.monotonic() + options.patience
    while stack.waiting() or time.monotonic() < customer.last + 20:
        if time.monotonic() > deadline:
            print(f"{stack.waiting()} messages still wait after {options.patience} s")
            return 1
        time.sleep(1)
    return report(account, names, received, kills, time.monotonic() - began)


def report(account: str, names: list[str], received: Path, kills: dict, took: float) -> int:
    posts = [line.split() for line in received.read_text().splitlines()]
    accepted = Counter(event for event, _attempt, status in posts if status == "200")
    missing = {event_id(account, name) for name in names} - accepted.keys()
    strangers = accepted.keys() - {event_id(account, name) for name in names}
    attempts = Counter((event, attempt) for event, attempt, _status in posts)
    repeated = sum(count - 1 for count in attempts.values())
    accepted_again = sum(count - 1 for count in accepted.values())
    figures = {
        "sent": len(names),
        "missing": len(missing),
        "strangers": len(strangers),
        "posts": len(posts),
        "answered_500": sum(status == "500" for _event, _attempt, status in posts),
        "attempts_made_twice": repeated,
        "accepted_twice": accepted_again,
        **kills,
        "seconds": round(took),
    }
    print(json.dumps(figures, indent=2))
    for event in sorted(missing)[:10]:
        print(f"missing: {event}")
    in_the_air = kills["unanswered_at_the_kills"] + kills["answered_within_1_s_before"]
    good = not missing and not strangers and max(repeated, accepted_again) <= in_the_air
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
