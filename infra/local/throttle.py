"""Has Scheduler refuse schedules of some groups, as AWS does above an account's quota."""

from __future__ import annotations

_groups: set[str] = set()


def install() -> None:
    from ministack.services import scheduler

    create = scheduler._create_schedule

    def create_or_throttle(name, body):
        if body.get("GroupName") in _groups:
            return scheduler._error(429, "ThrottlingException", "Rate exceeded")
        return create(name, body)

    scheduler._create_schedule = create_or_throttle


def schedules(group: str) -> None:
    _groups.add(group)
