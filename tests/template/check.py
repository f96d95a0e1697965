#!/usr/bin/env python3
"""Checks template.yaml: linted as CloudFormation gets it, then held to the rules in rules/.

    check.py [--template PATH] [--no-self-test]

Every rule is also shown able to fail: the template is mutated in memory, once for each way of
breaking a rule that is listed beside it, and the rule must speak. Takes about 20 seconds; exit
code 0 if all is well.

Needs the pinned packages of infra/local/requirements.txt; calls nothing outside.
"""

import argparse
import contextlib
import copy
import json
import logging
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from cfnlint.api import ManualArgs, lint_file  # noqa: E402

import contract  # noqa: E402
import statements  # noqa: E402
from model import View, expand, parse  # noqa: E402
from reached import Reached  # noqa: E402
from rules import RULES, Stacks, cut, prop, put  # noqa: E402

# SAM counts what it does and complains at the end that nobody collects the figures.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)

# Two regions, because what is on offer differs; informational findings count as well.
REGIONS = ["us-east-1", "eu-central-1"]
PRODUCERS = "111122223333,arn:aws:iam::444455556666:role/products"

# The linter must see at least these, in what SAM makes of the template.
LINT_MUTATIONS = {
    "a dangling reference": put(
        prop("IngestFunction", "Environment.Variables.EVENTS_TABLE"), {"Ref": "NoSuchTable"}
    ),
    "a wrong enum": put(prop("EventsTable", "BillingMode"), "FREE"),
    "visibility below the timeout": put(prop("SendQueue", "VisibilityTimeout"), 30),
    "an unused parameter": put("Parameters.Unused", {"Type": "String"}),
    "a circle": put(
        prop("EventsDlq", "RedriveAllowPolicy.sourceQueueArns"),
        [{"Fn::GetAtt": ["EventsQueue", "Arn"]}],
    ),
    "a stateful resource without policies": cut("Resources.EventsTable.DeletionPolicy"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--template", default=HERE.parent.parent / "template.yaml")
    parser.add_argument("--no-self-test", action="store_true")
    options = parser.parse_args()

    template = parse(options.template)
    findings = [*check_lint(options.template, template), *check_rules(template)]
    findings += check_statements(options.template, template)
    # On a broken template a mutation proves nothing: what it breaks may be broken already.
    if not findings and not options.no_self_test:
        findings = check_self(template)
    for finding in findings:
        print(f"  FAILED  {finding}")
    print(f"\n{len(findings)} findings" if findings else "\nThe template holds.")
    return 1 if findings else 0


def check_lint(path, template):
    """The template as it is written and as SAM expands it, with no finding at all."""
    found = lint(path) + lint_expanded(template)
    report("cfn-lint, as written and expanded", found)
    return found


def check_rules(template):
    """Every rule on the stack in prod, with producers, and on the emulator."""
    stacks = views(template)
    findings = []
    for rule in RULES:
        found = list(rule.find(stacks))
        report(rule.promise, found)
        findings += [f"{rule.promise}: {each}" for each in found]
    return findings


def check_statements(path, template):
    """`statements.py` sees what the expanded template has, and can drop every one of it."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    listed = statements.statements(text)
    ids = [each["id"] for each in listed]
    found = []
    expanded = {
        f"{owner}/{statement.get('Sid')}"
        for view in all_views(template)
        for owner, _kind, statement in view.statements()
    }
    if expanded != {f"{each['resource']}/{each['sid']}" for each in listed}:
        found.append("statements.py lists others than the expanded template has")
    for name in ids:
        left = [each["id"] for each in statements.statements(statements.drop(text, name))]
        if left != [each for each in ids if each != name]:
            found.append(f"dropping {name} leaves {len(left)} of {len(ids)} statements")
    gone = statements.undetectable().keys() - set(ids)
    found += [f"undetectable.json names {name}, which is gone" for name in sorted(gone)]
    report("every statement can be listed and dropped", found)
    return found


def check_self(template):
    """Mutates the template in every listed way; the rule beside it, or the linter, must speak."""
    silent, tried, reached = [], 0, Reached()
    for rule in RULES:
        if not rule.mutations:
            silent.append(f"nothing shows that this rule can fail: {rule.promise}")
        for name, mutate in rule.mutations.items():
            tried += 1
            stacks = views(mutated(template, mutate))
            with reached.watching():
                spoke = list(rule.find(stacks))
            if not spoke:
                silent.append(f"mutation {name} goes unnoticed by: {rule.promise}")
    for name, mutate in LINT_MUTATIONS.items():
        tried += 1
        if not lint_expanded(mutated(template, mutate)):
            silent.append(f"cfn-lint does not see {name}")
    silent += [f"no mutation calls forth {finding}" for finding in reached.unreached()]
    report(f"each of {tried} mutations is noticed, and every finding can come up", silent)
    return silent


def mutated(template, mutate):
    changed = copy.deepcopy(template)
    before = json.dumps(changed)
    mutate(changed)
    assert json.dumps(changed) != before, "the mutation changed nothing"
    return changed


def views(template):
    """The stack as three sets of parameters make it."""
    return Stacks(*all_views(template))


def all_views(template):
    expanded = expand(template)
    return (
        View(expanded, Stage="prod"),
        View(expanded, Stage="prod", ProducerPrincipals=PRODUCERS),
        View(expanded, Stage="local"),
    )


def lint_expanded(template):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "expanded.json")
        path.write_text(json.dumps(expand(template)), encoding="utf-8")
        return lint(path)


def lint(path):
    config = ManualArgs(
        regions=REGIONS, include_checks=["I"], ignore_checks=list(contract.LINT_IGNORED)
    )
    with contextlib.redirect_stderr(sys.stdout):
        matches = lint_file(pathlib.Path(path), config=config)
    return [f"{match.rule.id} {match.message} (line {match.linenumber})" for match in matches]


def report(promise, found):
    print(f"{'FAILED' if found else 'ok':8}{promise}")


if __name__ == "__main__":
    sys.exit(main())
