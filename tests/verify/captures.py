"""Deliveries as an endpoint received them, and what an attacker or a bad line would make of them.

The signing here is written from design 4.2 alone, with nothing of ours, so that it is a second
opinion.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

TOLERANCE_S = 300
Headers = tuple[tuple[str, str], ...]


class BadCapture(Exception):
    """The file is no capture, or what it holds breaks design 4.2; the text says how."""


@dataclass(frozen=True)
class Capture:
    """One delivery, and the secrets that a receiver would check it with."""

    name: str
    standard_secret: str  # for webhook-signature
    rackwave_secret: str  # for X-Webhook-Signature; during a rotation, the old one
    path: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(values) != 1:
            raise BadCapture(f"{self.name}: header {name} was sent {len(values)} times")
        return values[0]


class Change(Enum):
    """What is done to a delivery before it is judged."""

    NONE = "as sent"
    BODY = "body changed"
    SIGNATURE = "signature changed"
    SECRET = "other secret"
    STALE = "stale"
    EARLY = "early"


def changed(capture: Capture, change: Change) -> Capture:
    now = int(time.time())
    if change is Change.NONE:
        return capture
    if change is Change.BODY:
        return replace(capture, body=flipped(capture.body))
    if change is Change.SIGNATURE:
        return replace(capture, headers=tuple(spoilt(*header) for header in capture.headers))
    if change is Change.SECRET:
        other = secret()
        return signed_again(capture, other, other, int(capture.header("webhook-timestamp")))
    at = now - 2 * TOLERANCE_S if change is Change.STALE else now + 2 * TOLERANCE_S
    return signed_again(capture, capture.standard_secret, capture.rackwave_secret, at)


def flipped(body: bytes) -> bytes:
    """One bit of the first ASCII byte in the second half, so that the text stays UTF-8."""
    at = next(i for i in range(len(body) // 2, len(body)) if body[i] < 0x80)
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def spoilt(name: str, value: str) -> tuple[str, str]:
    """The first digit of every signature replaced by another one."""
    if name.lower() == "x-webhook-signature":
        scheme, digits = value.split("=", 1)
        return name, f"{scheme}={'1' if digits[0] == '0' else '0'}{digits[1:]}"
    if name.lower() == "webhook-signature":
        split = [one.split(",", 1) for one in value.split(" ")]
        return name, " ".join(f"{v},{'B' if s[0] == 'A' else 'A'}{s[1:]}" for v, s in split)
    return name, value


def signed_again(capture: Capture, standard: str, rackwave: str, at: int) -> Capture:
    new = {
        "x-webhook-signature": sign_body(rackwave, capture.body),
        "x-webhook-timestamp": str(at),
        "webhook-timestamp": str(at),
        "webhook-signature": sign_standard(
            standard, capture.header("webhook-id"), at, capture.body
        ),
    }
    headers = tuple((name, new.get(name.lower(), value)) for name, value in capture.headers)
    return replace(capture, headers=headers)


def sign_body(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def sign_standard(secret: str, event_id: str, at: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    mac = hmac.new(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def load(directory: Path) -> list[Capture]:
    """The captures in a directory, by name of file.

    Raises `BadCapture`, also when there are none: an empty directory proves nothing.
    """
    files = sorted(directory.glob("*.json"))
    if not files:
        raise BadCapture(f"{directory}: no captures (*.json)")
    return [capture for file in files for capture in read(file)]


def read(file: Path) -> Iterator[Capture]:
    """One capture, or two during a rotation: a receiver may hold either secret."""
    try:
        raw = json.loads(file.read_text())
        pairs = raw["headers"].items() if isinstance(raw["headers"], dict) else raw["headers"]
        headers = tuple((str(name), str(value)) for name, value in pairs)
        body = base64.b64decode(raw["body_base64"], validate=True)
        old, new = raw.get("previous_secret"), raw["secret"]
        path, method = raw.get("path", "/"), raw["method"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadCapture(f"{file}: not a capture: {error!r}") from error
    if method != "POST":
        raise BadCapture(f"{file}: method {method}")
    yield from known_to(file.stem, path, headers, body, (new, old))


def known_to(
    name: str, path: str, headers: Headers, body: bytes, keys: tuple[str, str | None]
) -> Iterator[Capture]:
    new, old = keys
    yield Capture(name, new, old or new, path, headers, body)
    if old:
        yield Capture(f"{name}, old secret", old, old, path, headers, body)


NASTY = {
    "documented": r"""{"message_id":"msg_8f3a2b1c9d4e7f0a","to":"recipient@example.com"}""",
    "numbers": r"""{"a":1.0,"b":1e3,"c":-0.0,"d":1E+400,"e":12345678901234567890.10,"f":1}""",
    "decomposed": '{"nfd":"e\u0301"}',
    "unicode": '{"name":"Zoë Ærøskøbing 東京 \u2028\u202e","mood":"🦀👩\u200d👩\u200d👧"}',
    "escapes": r"""{"a":"\u00e9","b":"\/","c":"\ud83e\udd80","d":"\"\\\b\f\n\r\t","e":"\u0000"}""",
    "whitespace": '{ "z" : [ 1 ,\t2 ,\r\n 3 ] ,\n\n "a" : { "deep" : [ [ [ ] ] , { } ] } }',
    "key order": r"""{"z":1,"a":2,"10":3,"9":4,"__proto__":5,"":6}""",
    "form-like": r"""{"a":"x=1&y=2%20+3","b":"<?php ?>","c":"${d}"}""",
    "large": '{"text":"' + "é🦀x" * 37_000 + '"}',
}


def self_made() -> list[Capture]:
    """Captures from the independent signing above, sent now: nasty data, and a rotation."""
    one_secret, old, new = secret(), secret(), secret()
    made = [made_capture(name, data, (one_secret, None)) for name, data in NASTY.items()]
    made.append(made_capture("rotation", NASTY["documented"], (new, old)))
    return [capture for both in made for capture in both]


def made_capture(name: str, data: str, keys: tuple[str, str | None]) -> list[Capture]:
    body = (
        r'{"event":"email.delivered","product":"migosmtp","platform_id":"a\"b\\",'
        rf'"timestamp":"2026-06-07T09:39:00+00:00","data":{data}}}'
    ).encode()
    event_id, at = "evt_" + hashlib.sha256(name.encode()).hexdigest()[:32], int(time.time())
    new, old = keys
    both = [sign_standard(key, event_id, at, body) for key in keys if key]
    headers = (
        ("Content-Type", "application/json"),
        ("User-Agent", "Rackwave-Webhooks/0.1.0"),
        ("X-Webhook-Signature", sign_body(old or new, body)),
        ("X-Webhook-Timestamp", str(at)),
        ("X-Webhook-Attempt", "1"),
        ("X-Webhook-Event", "email.delivered"),
        ("webhook-id", event_id),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", " ".join(both)),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("X-Tenant", "seven"),
    )
    return list(known_to(name, "/hooks?from=rackwave", headers, body, keys))
