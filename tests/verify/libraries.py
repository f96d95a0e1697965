"""Asks the receivers' libraries of PyPI, unmodified and called as their manuals say.

Cases as JSON on stdin, verdicts as JSON on stdout; run.py says what they should be.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import gidgethub
import gidgethub.sansio
import standardwebhooks
import svix.webhooks

Case = dict[str, Any]


def with_standardwebhooks(body: bytes, case: Case) -> None:
    standardwebhooks.Webhook(case["standard_secret"]).verify(body, case["headers"])


def with_svix(body: bytes, case: Case) -> None:
    svix.webhooks.Webhook(case["standard_secret"]).verify(body, case["headers"])


def with_gidgethub(body: bytes, case: Case) -> None:
    signature, secret = case["rackwave_signature"], case["rackwave_secret"]
    gidgethub.sansio.validate_event(body, signature=signature, secret=secret)


LIBRARIES: dict[str, tuple[Callable[[bytes, Case], None], type[Exception]]] = {
    "standardwebhooks": (with_standardwebhooks, standardwebhooks.WebhookVerificationError),
    "svix": (with_svix, svix.webhooks.WebhookVerificationError),
    "gidgethub": (with_gidgethub, gidgethub.ValidationFailure),
}


def verdict(library: str, case: Case) -> str:
    verify, refusal = LIBRARIES[library]
    try:
        verify(base64.b64decode(case["body_base64"]), case)
    except refusal:
        return "refused"
    except Exception as error:  # anything else is a fault to be shown, not a refusal
        return f"broken: {error!r}"
    return "accepted"


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    judged = {name: [verdict(name, case) for case in cases] for name in LIBRARIES}
    answer = {name: {"version": version(name), "verdicts": of} for name, of in judged.items()}
    json.dump(answer, sys.stdout)
