"""The alarms of a deployed stack, by their names in the template, as CloudWatch has them.

    python deployed.py ENDPOINT_URL STACK       run by the Python of .local/venv
"""

import json
import sys

import boto3

REGION = "us-east-1"
FIELDS = (
    "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods",
    "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData",
)  # fmt: skip


def main() -> None:
    endpoint_url, stack = sys.argv[1:]

    def client(service: str):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=endpoint_url, region_name=REGION, **keys)

    found = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    logical = {
        each["PhysicalResourceId"]: each["LogicalResourceId"]
        for each in found if each["ResourceType"] == "AWS::CloudWatch::Alarm"
    }  # fmt: skip
    alarms = {}
    for page in client("cloudwatch").get_paginator("describe_alarms").paginate():
        for alarm in page["MetricAlarms"]:
            name = logical.get(alarm["AlarmName"])
            if name:
                alarms[name] = {field: alarm[field] for field in FIELDS if field in alarm}
    print(json.dumps(alarms))


if __name__ == "__main__":
    main()
