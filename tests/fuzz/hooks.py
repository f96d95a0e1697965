"""What schemathesis is told about this API beyond its document: keys, ids of things that exist, and
rules that no schema can say.

Loaded by `run.py`, which says the facts in FUZZ, a JSON object. Only what is meant to be good is
changed here: what is meant to be bad arrives as it was made.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from typing import Any

import schemathesis
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

GIVEN: dict[str, Any] = json.loads(os.environ["FUZZ"])
KEYS: list[str] = GIVEN["keys"]
KNOWN: dict[str, list[str]] = GIVEN["known"]
ACCOUNT: str = GIVEN["account"]
RECEIVER: str = GIVEN["receiver"]
# What would take known things away from the other operations; ids from links reach these.
SPARED = {"deleteEndpoint", "disableEndpoint", "erasePayload"}



class Turns:
    """0, 1, 2, …, whoever asks."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            return next(self._count)


CALLS, IDS, NAMES = Turns(), Turns(), Turns()


@schemathesis.auth(refresh_interval=None)
class Keys:
    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        # A key may make so many calls a minute: they take turns.
        return KEYS[CALLS.next() % len(KEYS)]

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: schemathesis.Case) -> schemathesis.Case:
    if case.meta is None:
        return case
    operation = context.operation.definition.raw["operationId"]
    path = case.meta.components.get(ParameterLocation.PATH)
    is_linked = case.meta.phase.name is TestPhase.STATEFUL
    if path is not None and path.mode is GenerationMode.POSITIVE and not is_linked:
        point_at_something(case, operation)
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        keep_to_rules(case, operation)
    return case


def point_at_something(case: schemathesis.Case, operation: str) -> None:
    """An id that is made up leads to a 404 alone: three of four become ids of what is there."""
    path = case.operation.path
    known = next((ids for prefix, ids in KNOWN.items() if path.startswith(prefix)), [])
    guessed = (case.path_parameters or {}).get("id")
    if known and guessed is not None and operation not in SPARED:
        turn = IDS.next()
        if turn % 4 != 3:
            case.path_parameters["id"] = known[turn % len(known)]


def keep_to_rules(case: schemathesis.Case, operation: str) -> None:
    query, body = case.query or {}, case.body if isinstance(case.body, dict) else {}
    # It stands for a place in one list, with one set of filters.
    query.pop("cursor", None)
    # Needed, since the keys are operators'.
    if operation in {"findEvents", "reportMessages"}:
        query.setdefault("account_id", ACCOUNT)
        query.setdefault("product", "migosmtp")
    if operation == "reportMessages":
        query.pop("product")
    if operation in {"createEndpoint", "createPortalLink"}:
        body.setdefault("account_id", ACCOUNT)
    # What may be called is more than a pattern can say; so is whose endpoint it is.
    if "url" in body:
        body["url"] = RECEIVER
        # A change of it wants them anew, if there are any.
        body.setdefault("headers", {})
    if "endpoint_id" in body:
        body["account_id"], body["endpoint_id"] = ACCOUNT, KNOWN["/v1/endpoints/{id}"][0]
    # One after the other, in a window with something in it.
    if operation in {"recover", "cancelWaiting"}:
        body["from"], body["to"] = "2020-01-01T00:00:00Z", "2099-12-31T23:59:59Z"
    # All names of subscriptions together have a limit, too.
    if "event_types" in body:
        body["event_types"] = body["event_types"][:10]
    # Two processes with one name for one request would share, and delete, one endpoint.
    if "X-Idempotency-Key" in (case.headers or {}):
        case.headers["X-Idempotency-Key"] = f"once-{GIVEN['run']}-{NAMES.next()}"
    # Which names are reserved, too.
    if body.get("headers"):
        body["headers"] = {"X-Tenant": "seven"}
    case.query = query or case.query
