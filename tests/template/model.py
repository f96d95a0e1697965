"""The template as data: parsed, expanded as SAM would, and seen as one stage would see it."""

import copy
import json
import os

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # SAM asks for one; nothing is called.

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

CODE = "s3://code-bucket/code.zip"  # Any object: expanding a template does not look at it.


def parse(path):
    """The template with short tags (`!Ref`) written out (`{"Ref": …}`)."""
    with open(path, encoding="utf-8") as file:
        return yaml_parse(file.read())


def expand(template):
    """What CloudFormation gets to see once the SAM transform has run."""

    class NoManagedPolicies:
        """Managed policies by name are not used here, so there are none to look up."""

        def load(self):
            return {}

    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE
    expanded = transform(template, {}, NoManagedPolicies())
    return json.loads(json.dumps(expanded))


class View:
    """An expanded template with conditions decided, as one set of parameters makes it.

    Parameters become their values. References to resources become readable strings that can be
    compared: `!Ref X` is `X`, `!GetAtt X.Arn` is `X.Arn`, and `!Sub a/${X}` is `a/${X}`.
    """

    def __init__(self, expanded, **parameters):
        self.expanded = expanded
        self.declared = expanded.get("Parameters", {})
        defaults = {name: p.get("Default", "") for name, p in self.declared.items()}
        self.parameters = {**defaults, **parameters}
        self.resources = {
            name: {**resource, "Properties": self._resolve(resource.get("Properties", {}))}
            for name, resource in expanded["Resources"].items()
            if self._holds(resource.get("Condition"))
        }

    def of_type(self, kind):
        """Properties of all resources of a type, by logical id."""
        return {n: r["Properties"] for n, r in self.resources.items() if r["Type"] == kind}

    def statements(self):
        """Every policy statement as (owner, kind, statement); the owner is a logical id."""
        for name, resource in self.resources.items():
            properties = resource["Properties"]
            for kind, document in documents(properties):
                for statement in document["Statement"]:
                    yield name, kind, statement

    def _holds(self, condition):
        if condition is None:
            return True
        return self._decide(self.expanded["Conditions"][condition])

    def _decide(self, expression):
        ((function, argument),) = expression.items()
        match function:
            case "Condition":
                return self._holds(argument)
            case "Fn::Equals":
                left, right = (self._resolve(side) for side in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._decide(argument[0])
            case "Fn::Or":
                return any(self._decide(each) for each in argument)
            case "Fn::And":
                return all(self._decide(each) for each in argument)
        raise ValueError(f"condition function {function} is not known here")

    def _resolve(self, value):
        if isinstance(value, list):
            resolved = [self._resolve(each) for each in value]
            return [each for each in resolved if each is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            match function:
                case "Ref" if argument == "AWS::NoValue":
                    return ABSENT
                case "Ref":
                    return self.parameters.get(argument, argument)
                case "Fn::GetAtt":
                    return argument if isinstance(argument, str) else ".".join(argument)
                case "Fn::Sub":
                    return argument
                case "Fn::Split":
                    return self._resolve(argument[1]).split(argument[0])
                case "Fn::If":
                    condition, then, otherwise = argument
                    return self._resolve(then if self._holds(condition) else otherwise)
        resolved = {key: self._resolve(each) for key, each in value.items()}
        return {key: each for key, each in resolved.items() if each is not ABSENT}


ABSENT = object()


def documents(properties):
    """The policy documents of a resource, each with what kind it is."""
    if "AssumeRolePolicyDocument" in properties:
        yield "trust", properties["AssumeRolePolicyDocument"]
    for policy in properties.get("Policies", []):
        yield "identity", policy["PolicyDocument"]
    if "PolicyDocument" in properties:
        yield "resource", properties["PolicyDocument"]
    if "KeyPolicy" in properties:
        yield "key", properties["KeyPolicy"]


def listed(value):
    """IAM lets one thing stand for a list of one."""
    return value if isinstance(value, list) else [value]
