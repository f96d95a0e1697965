"""Tells CloudWatch's figures of SQS, which the emulator does not have.

They are reckoned from the emulator's queues at the moment somebody asks for figures, so there is
one of each queue and no history. The emulator knows no noisy groups: all are quiet.
"""

from __future__ import annotations

import time


def install() -> None:
    from ministack.services import cloudwatch

    answer = cloudwatch._get_metric_data

    def answer_with_those_of_now(*request, **named):
        tell(time.time())
        return answer(*request, **named)

    cloudwatch._get_metric_data = answer_with_those_of_now


def tell(now: float) -> None:
    from ministack.services import cloudwatch, sqs

    for queue in list(sqs._queues.values()):
        sqs._refresh_counts(queue)
        dimensions = {"QueueName": queue["name"]}
        # CloudWatch gives a figure the time at which its minute begins.
        about = {"Timestamp": now - now % 60, "Unit": "None", "Dimensions": dimensions}
        for metric, value in of(queue, now).items():
            key = ("AWS/SQS", metric, cloudwatch._dims_key(dimensions))
            cloudwatch._metrics[key] = [] if value is None else [{**about, "Value": value}]


def of(queue: dict, now: float) -> dict[str, float | None]:
    """A queue's figures; one that is empty has no age."""
    ages = [now - message["sent_at"] for message in queue["messages"]]
    age = float(int(max(ages))) if ages else None
    counts = queue["attributes"]
    return {
        "ApproximateAgeOfOldestMessage": age,
        "ApproximateAgeOfOldestMessageInQuietGroups": age,
        "ApproximateNumberOfMessagesVisible": float(counts["ApproximateNumberOfMessages"]),
        "ApproximateNumberOfMessagesNotVisible": float(
            counts["ApproximateNumberOfMessagesNotVisible"]
        ),
    }
