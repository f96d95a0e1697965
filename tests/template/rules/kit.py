"""What rules are made of: the stacks they look at, and mutations that must make them speak."""

from dataclasses import dataclass

from model import View, documents

RULES = []


@dataclass(frozen=True)
class Stacks:
    """The stack in prod with and without foreign producers, and on the emulator."""

    prod: View
    prod_with_producers: View
    local: View


@dataclass(frozen=True)
class Rule:
    """A rule, its one-line promise, and the mutations (name -> function) that break it."""

    promise: str
    find: object
    mutations: dict


def rule(promise, **mutations):
    """Registers a rule; mutations change the parsed, unexpanded template in place."""

    def register(find):
        RULES.append(Rule(promise, find, mutations))
        return find

    return register


def prop(resource, path):
    """The dotted path of a resource's property."""
    return f"Resources.{resource}.Properties.{path}"


def put(path, value):
    """A mutation that sets what a dotted path names."""

    def mutate(template):
        *parents, last = path.split(".")
        for key in parents:
            template = template[key]
        template[last] = value

    return mutate


def cut(path):
    """A mutation that removes what a dotted path names."""

    def mutate(template):
        *parents, last = path.split(".")
        for key in parents:
            template = template[key]
        del template[last]

    return mutate


def in_statement(owner, sid, **changes):
    """A mutation that changes fields of one statement; None removes a field."""

    def mutate(template):
        statement = find_statement(template, owner, sid)
        for field, value in changes.items():
            if value is None:
                del statement[field]
            else:
                statement[field] = value

    return mutate


def add_statement(owner, **statement):
    """A mutation that gives a resource one more statement, in its last policy document."""

    def mutate(template):
        *_, (_kind, document) = documents(template["Resources"][owner]["Properties"])
        document["Statement"].append({"Sid": "Extra", "Effect": "Allow", **statement})

    return mutate


def find_statement(template, owner, sid):
    """One statement of the parsed template, also when it stands under `!If`."""
    for _kind, document in documents(template["Resources"][owner]["Properties"]):
        for item in document["Statement"]:
            statement = item["Fn::If"][1] if "Fn::If" in item else item
            if statement["Sid"] == sid:
                return statement
    raise KeyError(f"{owner}/{sid}")
