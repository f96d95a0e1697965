"""Sends a message as a producer: an IAM user without policies, made for the occasion.

    python tests/template/producer.py --endpoint URL --user NAME --queue URL --body TEXT
"""

from __future__ import annotations

import argparse
import contextlib

import boto3


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--endpoint", "--user", "--queue", "--body"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    iam = client("iam", options.endpoint, "test", "test")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=options.user)
    key = iam.create_access_key(UserName=options.user)["AccessKey"]
    sqs = client("sqs", options.endpoint, key["AccessKeyId"], key["SecretAccessKey"])
    sqs.send_message(QueueUrl=options.queue, MessageBody=options.body)


def client(service: str, endpoint: str, key: str, secret: str):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


if __name__ == "__main__":
    main()
