#!/usr/bin/env python3
"""Lists the policy statements of the template and takes single ones out.

    statements.py list [--json] [--template PATH]
    statements.py drop OWNER/SID --out PATH [--template PATH]

Least privilege is claimed by the template; a driver shows it: of each statement by judging every
request of a journey again without it, of some by dropping them and seeing the journey fail.
Statements that the emulator cannot miss stand in `undetectable.json`, each with its reason. OWNER
is the function (`ingest`) for its role, else the logical id.

Dropping cuts the statement's lines out of the text, so that everything else, tags and comments
included, stays exactly as it was. A policy that had no other statement keeps an empty list.
"""

import argparse
import json
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
TEMPLATE = HERE.parent.parent / "template.yaml"
UNDETECTABLE = HERE / "undetectable.json"

# Where a resource keeps its policy documents, and what they are then.
DOCUMENTS = {
    "AssumeRolePolicyDocument": "trust",
    "PolicyDocument": "resource",
    "KeyPolicy": "key",
}


def statements(text):
    """Every statement of the template, in order, as plain data."""
    return [public for public, _node, _siblings in _walk(text)]


def drop(text, wanted):
    """The template without one statement; KeyError if there is none of that id."""
    for public, node, siblings in _walk(text):
        if public["id"] == wanted:
            return _cut(text, node, siblings)
    raise KeyError(wanted)


def undetectable():
    """Statements the emulator cannot miss, with the reasons."""
    return json.loads(UNDETECTABLE.read_text(encoding="utf-8"))


def _walk(text):
    """Yields (public description, the statement's list item, the list it stands in)."""
    resources = _get(yaml.compose(text), "Resources")
    owners = _functions_by_role(resources)
    for key, resource in resources.value:
        name, properties = key.value, _get(resource, "Properties")
        queues = properties and _get(properties, "Queues")
        on = [queue.value for queue in queues.value] if queues else [name]
        for kind, document in _documents(properties):
            siblings = _get(document, "Statement")
            for item in siblings.value:
                statement, condition = _unwrapped(item)
                sid = _get(statement, "Sid")
                if sid is None:
                    line = item.start_mark.line + 1
                    raise ValueError(f"line {line}: a statement of {name} has no Sid")
                owner = owners.get(name, name)
                yield (
                    {
                        "id": f"{owner}/{sid.value}",
                        "sid": sid.value,
                        "resource": name,
                        "on": on,
                        "kind": kind,
                        "effect": _get(statement, "Effect").value,
                        "actions": _strings(_get(statement, "Action")),
                        "condition": condition,
                        "line": item.start_mark.line + 1,
                    },
                    item,
                    siblings,
                )


def _functions_by_role(resources):
    """Logical id of a role -> the short name of the function that wears it."""
    owners = {}
    for _key, resource in resources.value:
        if _get(resource, "Type").value == "AWS::Serverless::Function":
            role = _get(_get(resource, "Properties"), "Role").value
            binary = _get(_get(_get(resource, "Metadata"), "BuildProperties"), "Binary").value
            owners[role.removesuffix(".Arn")] = binary
    return owners


def _documents(properties):
    if properties is None:
        return
    for key, value in properties.value:
        if key.value in DOCUMENTS:
            yield DOCUMENTS[key.value], value
        elif key.value == "Policies":
            for policy in value.value:
                yield "identity", _get(policy, "PolicyDocument")


def _unwrapped(item):
    """A list item is a statement, or `!If [condition, statement, nothing]`."""
    if item.tag == "!If":
        condition, statement, _nothing = item.value
        return statement, condition.value
    return item, None


def _cut(text, node, siblings):
    """Cuts `- item` up to the next item, comments above the next item kept with it."""
    lines = text.splitlines(keepends=True)
    first = node.start_mark.line
    if node.start_mark.column <= siblings.start_mark.column + 1:
        raise ValueError(f"line {first + 1}: only statements in `- ` lists can be dropped")
    last = _last_line(node)
    if len(siblings.value) > 1:
        return "".join(lines[:first] + lines[last + 1 :])
    indent = " " * siblings.start_mark.column
    return "".join(lines[:first] + [f"{indent}[]\n"] + lines[last + 1 :])


def _last_line(node):
    """The line on which a node's last scalar or closing bracket stands.

    The end mark of a block is where the next token begins, past comments and blank lines.
    """
    if isinstance(node, yaml.ScalarNode) or node.flow_style:
        return node.end_mark.line - (1 if node.end_mark.column == 0 else 0)
    last = node.value[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _get(mapping, key):
    """The value node of a key in a mapping node, or None."""
    return next((value for k, value in mapping.value if k.value == key), None)


def _strings(node):
    if isinstance(node, yaml.ScalarNode):
        return [node.value]
    return [each.value for each in node.value]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every statement, one a line")
    listing.add_argument("--json", action="store_true")
    dropping = commands.add_parser("drop", help="the template without one statement")
    dropping.add_argument("id", metavar="OWNER/SID")
    dropping.add_argument("--out", required=True, type=pathlib.Path)
    for command in (listing, dropping):
        command.add_argument("--template", default=TEMPLATE, type=pathlib.Path)
    options = parser.parse_args(arguments)
    text = options.template.read_text(encoding="utf-8")

    if options.command == "drop":
        try:
            options.out.write_text(drop(text, options.id), encoding="utf-8")
        except KeyError:
            sys.exit(f"no statement {options.id}; `statements.py list` names them all")
        return
    reasons = undetectable()
    entries = [{**each, "undetectable": reasons.get(each["id"])} for each in statements(text)]
    if options.json:
        print(json.dumps(entries, indent=2))
        return
    for each in entries:
        mark = "-" if each["undetectable"] else "+"
        print(f"{mark} {each['id']:45}{each['effect']:6}{' '.join(each['actions'])}")
    print("\n+ shown by the emulator   - cannot be, for the reason in undetectable.json")


if __name__ == "__main__":
    main()
