"""The template as a whole: parameters, outputs, times, and what is different on the emulator."""

import copy

import contract
from model import documents

from .kit import cut, in_statement, prop, put, rule

DAY = 86400


def add_local_statement(template):
    """Gives the sender one more permission on the emulator alone."""
    extra = {"Sid": "Extra", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:x"}
    *_, (_kind, document) = documents(template["Resources"]["SenderRole"]["Properties"])
    document["Statement"].append({"Fn::If": ["IsLocal", extra, {"Ref": "AWS::NoValue"}]})


@rule(
    "the local stack differs from prod in what is listed, and in nothing else",
    more_on_the_emulator=add_local_statement,
    less_on_the_emulator=put("Resources.RetryDlq.Condition", "IsOnAws"),
    default_group_on_aws=put("Conditions.IsLocal", {"Fn::Equals": ["", ""]}),
    other_queue=put(prop("SendQueue", "VisibilityTimeout"), {"Fn::If": ["IsLocal", 30, 360]}),
    other_permission=in_statement(
        "SenderRole", "ReadEvents", Resource={"Fn::If": ["IsLocal", "arn:x", "arn:y"]}
    ),
)
def local_differences(stacks):
    prod, local = parts(stacks.prod), parts(stacks.local)
    for name in prod.keys() ^ local.keys() ^ contract.LOCAL_DIFFERENCES.keys():
        yield f"{name} differs between prod and local, against the list"
    for name in sorted(prod.keys() & local.keys()):
        if prod[name] != local[name]:
            yield f"{name} is another on the emulator"


def parts(view):
    """Resources and statements by name, without what says or follows from the stage itself."""
    found = {}
    for name, resource in view.resources.items():
        properties = copy.deepcopy(resource["Properties"])
        properties.get("Environment", {}).get("Variables", {}).pop("STAGE", None)
        for apart in ("Policies", "PolicyDocument", "DeletionProtectionEnabled"):
            properties.pop(apart, None)
        found[name] = properties
    for owner, _kind, statement in view.statements():
        found[f"{owner}/{statement.get('Sid')}"] = statement
    return found


@rule(
    "insecure targets are refused unless Stage is local",
    no_rule=cut("Rules.InsecureTargetsOnlyLocally"),
    dev_too=put(
        "Rules.InsecureTargetsOnlyLocally.Assertions",
        [{"Assert": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]}}],
    ),
    other_condition=put(
        "Rules.InsecureTargetsOnlyLocally.RuleCondition", {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
    ),
    on_by_default=put("Parameters.AllowInsecureTargets.Default", "true"),
)
def insecure_targets(stacks):
    rule = stacks.prod.expanded.get("Rules", {}).get("InsecureTargetsOnlyLocally", {})
    when = {"Fn::Equals": [{"Ref": "AllowInsecureTargets"}, "true"]}
    only = [{"Fn::Equals": [{"Ref": "Stage"}, "local"]}]
    asserted = [each["Assert"] for each in rule.get("Assertions", [])]
    if rule.get("RuleCondition") != when or asserted != only:
        yield "the rule InsecureTargetsOnlyLocally does not say so"
    if stacks.prod.parameters["AllowInsecureTargets"] != "false":
        yield "insecure targets are allowed by default"


@rule(
    "times fit into each other",
    slow_request=put("Parameters.RequestTimeoutSeconds.MaxValue", 50),
    slow_sweep=put(prop("SweeperFunction", "Timeout"), 301),
    short_memory=put("Parameters.RetentionDays.MinValue", 7),
    cut_as_a_loop=cut(prop("SenderFunction", "RecursiveLoop")),
    rare_sweep=put(
        prop("SweeperFunction", "Events.EveryFiveMinutes.Properties.Schedule"), "rate(1 hour)"
    ),
    rare_day=put(prop("DailyFunction", "Events.OnceADay.Properties.Schedule"), "rate(2 days)"),
    one_try_a_day=put(prop("DailyFunction", "EventInvokeConfig.MaximumRetryAttempts"), 0),
    repeated_sweep=put(prop("SweeperFunction", "EventInvokeConfig.MaximumRetryAttempts"), 2),
)
def times(stacks):
    functions, declared = stacks.prod.of_type("AWS::Lambda::Function"), stacks.prod.declared
    if declared["RequestTimeoutSeconds"]["MaxValue"] + 15 > functions["SenderFunction"]["Timeout"]:
        yield "a request may leave the sender less than 15 s to record it"
    rates = {
        target["Arn"]: schedule["ScheduleExpression"]
        for schedule in stacks.prod.of_type("AWS::Events::Rule").values()
        for target in schedule["Targets"]
    }
    if rates.get("SweeperFunction.Arn") != "rate(5 minutes)":
        yield "the sweeper does not run every 5 minutes"
    if rates.get("DailyFunction.Arn") != "rate(1 day)":
        yield "daily does not run once a day"
    if functions["SweeperFunction"]["Timeout"] >= 300:
        yield "two sweeps may meet"
    if declared["RetentionDays"]["MinValue"] * DAY <= declared["GiveUpAfterSeconds"]["MaxValue"]:
        yield "a record may expire while its delivery is open"
    if functions["SenderFunction"].get("RecursiveLoop") != "Allow":
        yield "Lambda cuts a chain of hops as a loop"
    repeated = {
        invoke["FunctionName"]: invoke.get("MaximumRetryAttempts")
        for invoke in stacks.prod.of_type("AWS::Lambda::EventInvokeConfig").values()
    }
    if repeated.get("SweeperFunction") != 0:
        yield "a failed sweep is repeated"
    if not repeated.get("DailyFunction"):
        yield "what daily leaves undone waits for a day"


@rule(
    "parameters have the documented defaults, outputs the documented names",
    other_default=put("Parameters.RetryDelaysSeconds.Default", "300,1800,7200"),
    unconstrained=cut("Parameters.GiveUpAfterSeconds.MaxValue"),
    unexplained=cut("Parameters.RetentionDays.ConstraintDescription"),
    missing_parameter=cut("Parameters.SqsDelayMaxSeconds"),
    missing_output=cut("Outputs.RetryDlqUrl"),
    undescribed_output=cut("Outputs.EventsTable.Description"),
)
def contract_kept(stacks):
    declared = stacks.prod.declared
    found = {name: str(parameter.get("Default")) for name, parameter in declared.items()}
    if found != contract.PARAMETERS:
        yield f"parameters differ: {set(found.items()) ^ set(contract.PARAMETERS.items())}"
    for name, parameter in declared.items():
        bounds = {"MinValue", "MaxValue"} <= parameter.keys()
        if not (bounds or {"AllowedValues", "AllowedPattern"} & parameter.keys()):
            yield f"{name} takes anything"
        for text in ("Description", "ConstraintDescription"):
            if text not in parameter:
                yield f"{name} has no {text}"
    outputs = stacks.prod.expanded["Outputs"]
    if set(outputs) != contract.OUTPUTS:
        yield f"outputs differ: {set(outputs) ^ contract.OUTPUTS}"
    for name, output in outputs.items():
        if "Description" not in output:
            yield f"output {name} has no Description"
