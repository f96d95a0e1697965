"""Tells on which policy statements the emulator's permissions hang.

Every request that is allowed is judged again, once for each statement that allows it, as if that
statement stood in no policy. One without which the request would be refused is needed: it is
written to a file, once, as {"owner": …, "sid": …}, where the owner is the name of the role that has
the statement, or the name of the resource whose policy has it.
"""

from __future__ import annotations

import contextvars
import json
from pathlib import Path

# The statement that stands in no policy just now.
_left_out: contextvars.ContextVar[tuple | None] = contextvars.ContextVar("left_out", default=None)
# The statements that allow the request at hand, while they are gathered.
_allowing: contextvars.ContextVar[set | None] = contextvars.ContextVar("allowing", default=None)
# Whether it is a resource's own policy that is looked at.
_of_resource: contextvars.ContextVar[bool] = contextvars.ContextVar("of_resource", default=False)


def install(path: Path) -> None:
    from ministack.core import iam_evaluator

    evaluate = iam_evaluator.evaluate
    evaluate_resource_policy = iam_evaluator.evaluate_resource_policy
    enforce = iam_evaluator.enforce
    needed: set[tuple] = set()

    def evaluate_without(ctx, policies, *limits):
        owner = _owner(ctx)
        gone, allowing = _left_out.get(), _allowing.get()
        kept = [[s for s in stated if (owner, s.sid) != gone] for stated in policies]
        if allowing is not None:
            for statement in (statement for stated in kept for statement in stated):
                if iam_evaluator._first_match(ctx, [statement], "Allow"):
                    allowing.add((owner, statement.sid))
        return evaluate(ctx, kept, *limits)

    def evaluate_of_resource(*arguments, **named):
        with _set(_of_resource, True):
            return evaluate_resource_policy(*arguments, **named)

    def enforce_and_judge(*arguments, **named):
        with _set(_allowing, set()) as allowing:
            refused = enforce(*arguments, **named)
        if refused is None:
            for statement in allowing - needed:
                with _set(_left_out, statement):
                    if enforce(*arguments, **named) is not None:
                        needed.add(statement)
                        tell(statement)
        return refused

    def tell(statement):
        owner, sid = statement
        with open(path, "a") as file:
            file.write(json.dumps({"owner": owner, "sid": sid}) + "\n")

    iam_evaluator.evaluate = evaluate_without
    iam_evaluator.evaluate_resource_policy = evaluate_of_resource
    iam_evaluator.enforce = enforce_and_judge


def _owner(ctx) -> str:
    """`…:assumed-role/ROLE/SESSION` -> ROLE; `…:sqs:REGION:ACCOUNT:QUEUE` -> QUEUE."""
    if _of_resource.get():
        return ctx.resource_arn.rsplit(":", 1)[-1]
    return ctx.principal_arn.split("/")[1] if "/" in ctx.principal_arn else ctx.principal_arn


class _set:
    """A context variable's value, for a while."""

    def __init__(self, variable: contextvars.ContextVar, value) -> None:
        self._variable, self._value = variable, value

    def __enter__(self):
        self._token = self._variable.set(self._value)
        return self._value

    def __exit__(self, *_) -> None:
        self._variable.reset(self._token)
