"""Deploys a SAM template and the functions' binaries to the emulator, and invokes functions.

What `sam deploy` would do, without SAM: each function's `CodeUri: .` is replaced by a zip of the
binary that its Metadata names, and the emulator expands the template itself.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import json
import re
import sys
import threading
import zipfile
from pathlib import Path

import boto3
import yaml
from botocore.config import Config
from botocore.exceptions import WaiterError

BUCKET = "rackwave-local-code"


class Deployer:
    """Safe to use from several threads."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        def client(service: str):
            return boto3.client(
                service,
                endpoint_url=endpoint_url,
                region_name=region,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                # A function may take as long as its own timeout, and is never invoked twice.
                config=Config(
                    read_timeout=900, retries={"total_max_attempts": 1}, max_pool_connections=32
                ),
            )

        self._cloudformation = client("cloudformation")
        self._dynamodb = client("dynamodb")
        self._lambda = client("lambda")
        self._s3 = client("s3")
        self._s3.create_bucket(Bucket=BUCKET)
        self._code = CodeStore(self._s3, endpoint_url)

    def deploy(
        self, name: str, template: str, binaries: str, parameters: dict[str, str]
    ) -> dict[str, str]:
        """Creates the stack and returns its outputs."""
        body = load_template(Path(template))
        check_parameters(body, parameters)
        for function, binary in functions_of(body).items():
            body["Resources"][function]["Properties"]["CodeUri"] = {
                "Bucket": BUCKET,
                "Key": self._code.key_of(Path(binaries) / binary),
            }
        self._cloudformation.create_stack(
            StackName=name,
            TemplateURL=self._code.url_of(json.dumps(body, default=plain)),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self._wait_for(name)
        self._set_time_to_live(name, body)
        stack = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}

    def invoke(self, function: str, payload: object = None) -> object:
        """What the function answered; raises with its message if it failed."""
        answer = self._lambda.invoke(FunctionName=function, Payload=json.dumps(payload))
        text = answer["Payload"].read()
        if "FunctionError" in answer:
            raise RuntimeError(f"{function} failed: {reason(text)}")
        return json.loads(text) if text else None

    def resources(self, name: str) -> dict[str, str]:
        """Logical id of everything in a stack -> its physical id."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        summaries = (each for page in pages for each in page["StackResourceSummaries"])
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}

    def _wait_for(self, name: str) -> None:
        waiter = self._cloudformation.get_waiter("stack_create_complete")
        try:
            waiter.wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        except WaiterError as error:
            raise RuntimeError(f"the stack {name} failed: {self._reasons(name)}") from error

    def _reasons(self, name: str) -> str:
        events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [
            f"{each['LogicalResourceId']}: {each['ResourceStatusReason']}"
            for each in reversed(events)
            if each["ResourceStatus"].endswith("FAILED") and each.get("ResourceStatusReason")
        ]
        return "; ".join(reasons) or "no reason given"

    def _set_time_to_live(self, name: str, body: dict) -> None:
        """The emulator's CloudFormation drops it."""
        for logical, resource in body["Resources"].items():
            wanted = resource.get("Properties", {}).get("TimeToLiveSpecification")
            if resource["Type"] != "AWS::DynamoDB::Table" or not wanted:
                continue
            detail = self._cloudformation.describe_stack_resource(
                StackName=name, LogicalResourceId=logical
            )
            self._dynamodb.update_time_to_live(
                TableName=detail["StackResourceDetail"]["PhysicalResourceId"],
                TimeToLiveSpecification=wanted,
            )


def reason(payload: bytes) -> str:
    """What a failed function said, without where in its code it was."""
    try:
        said = str(json.loads(payload)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        said = payload.decode(errors="replace")
    return said.split("\n\nStack backtrace:")[0].strip()


class CodeStore:
    """Zips a binary as `bootstrap` and puts it once per content, whatever the stack.

    Templates as well: in a request CloudFormation takes 51,200 bytes of them, from S3 a megabyte.
    """

    def __init__(self, s3, endpoint_url: str) -> None:
        self._s3 = s3
        self._endpoint_url = endpoint_url
        self._keys: dict[tuple, str] = {}
        self._lock = threading.Lock()

    def key_of(self, binary: Path) -> str:
        if not binary.is_file():
            raise RuntimeError(f"{binary} is not there: build it first")
        state = binary.stat()
        known_by = (str(binary), state.st_mtime_ns, state.st_size)
        with self._lock:
            if known_by not in self._keys:
                content = binary.read_bytes()
                key = f"{binary.name}-{hashlib.sha256(content).hexdigest()}.zip"
                self._s3.put_object(Bucket=BUCKET, Key=key, Body=zipped(content))
                self._keys[known_by] = key
            return self._keys[known_by]

    def url_of(self, template: str) -> str:
        content = template.encode()
        key = f"{hashlib.sha256(content).hexdigest()}.template"
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"{self._endpoint_url.rstrip('/')}/{BUCKET}/{key}"


def zipped(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o755 << 16
        out.writestr(entry, content)
    return archive.getvalue()


def functions_of(body: dict) -> dict[str, str]:
    """Logical id of each function -> name of its binary."""
    return {
        logical: resource["Metadata"]["BuildProperties"]["Binary"]
        for logical, resource in body["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def check_parameters(body: dict, given: dict[str, str]) -> None:
    """The emulator ignores unknown parameters and what the template allows for the known ones."""
    declared = body.get("Parameters", {})
    for name, value in given.items():
        if name not in declared:
            known = ", ".join(sorted(declared))
            raise RuntimeError(f"the template has no parameter {name}; it has {known}")
        if not allows(declared[name], value):
            rule = declared[name].get("ConstraintDescription", "is not allowed by the template")
            raise RuntimeError(f"parameter {name} {rule}; it was given {value!r}")


def allows(declaration: dict, value: str) -> bool:
    each = value.split(",") if declaration["Type"] == "CommaDelimitedList" else [value]
    if "AllowedPattern" in declaration:
        if not all(re.fullmatch(declaration["AllowedPattern"], part) for part in each):
            return False
    if "AllowedValues" in declaration and value not in map(str, declaration["AllowedValues"]):
        return False
    if declaration["Type"] == "Number":
        lowest = int(declaration.get("MinValue", 0))
        highest = int(declaration.get("MaxValue", sys.maxsize))
        return value.isdecimal() and lowest <= int(value) <= highest
    return True


def load_template(path: Path) -> dict:
    with open(path) as file:
        return yaml.load(file, Loader=TemplateLoader)


class TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags, kept as their long form: `!Ref x` -> {"Ref": x}."""


def intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


TemplateLoader.add_multi_constructor("!", intrinsic)


def plain(value: object) -> str:
    """YAML reads `2012-10-17` as a date."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be part of a template")
