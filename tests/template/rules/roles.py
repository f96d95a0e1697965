"""Roles: who may do what, and nobody more."""

import contract
from model import listed

from .kit import add_statement, cut, in_statement, prop, put, rule


@rule(
    "each statement has a name, once per owner",
    nameless=in_statement("SenderRole", "ReadEvents", Sid=None),
    twice=in_statement("SenderRole", "ReadEvents", Sid="ReadEndpoints"),
)
def named(stacks):
    for view in (stacks.prod_with_producers, stacks.local):
        seen = set()
        for owner, _kind, statement in view.statements():
            sid = statement.get("Sid")
            if sid is None or (owner, sid) in seen:
                yield f"{owner} has a statement without a Sid of its own: {sid}"
            seen.add((owner, sid))


@rule(
    "no wildcard in what is allowed, but those listed with a reason",
    any_resource=in_statement("IngestRole", "StoreEvents", Resource="*"),
    any_action=in_statement("SenderRole", "RecordAttempts", Action="dynamodb:*"),
    any_index=in_statement(
        "SweeperRole", "FindWhatIsDue", Resource={"Fn::Sub": "${DeliveriesTable.Arn}/index/*"}
    ),
    not_resource=in_statement(
        "SenderRole", "ReadEvents", Resource=None, NotResource={"Fn::GetAtt": "EventsTable.Arn"}
    ),
    stale_exception=in_statement("SenderRole", "ScheduleLaterAttempts", Resource="arn:aws:x"),
)
def wildcards(stacks):
    found = set()
    for view in (stacks.prod_with_producers, stacks.local):
        for owner, kind, statement in view.statements():
            words = listed(statement.get("Action", "*"))
            if kind != "trust":
                words = words + listed(statement.get("Resource", "*"))
            if any("*" in word for word in words):
                found.add(f"{owner}/{statement.get('Sid')}")
    for name in found - contract.WILDCARDS.keys():
        yield f"{name} uses a wildcard and is not on the list"
    for name in contract.WILDCARDS.keys() - found:
        yield f"{name} uses no wildcard any more: take it off the list"


@rule(
    "a function has a role and a log of its own, and nothing that SAM or AWS would add",
    shared_role=put(prop("SweeperFunction", "Role"), {"Fn::GetAtt": "SenderRole.Arn"}),
    made_by_sam=cut(prop("SweeperFunction", "Role")),
    managed=put(prop("SenderRole", "ManagedPolicyArns"), ["arn:aws:iam::aws:policy/PowerUser"]),
    policy_apart=put(
        "Resources.Apart",
        {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyName": "x", "Roles": ["y"], "PolicyDocument": {"Statement": []}},
        },
    ),
    default_log=cut(prop("IngestFunction", "LoggingConfig")),
    shared_log=put(prop("IngestFunction", "LoggingConfig.LogGroup"), {"Ref": "SenderLogs"}),
    endless_log=cut(prop("SenderLogs", "RetentionInDays")),
    mute=in_statement("SweeperRole", "WriteLogs", Resource={"Fn::GetAtt": "SenderLogs.Arn"}),
    other_variable=put(prop("SweeperFunction", "Environment.Variables.API_STATE_TABLE"), "x"),
)
def functions(stacks):
    view = stacks.prod
    functions = view.of_type("AWS::Lambda::Function")
    roles, logs = view.of_type("AWS::IAM::Role"), view.of_type("AWS::Logs::LogGroup")
    for name, function in functions.items():
        stem = name.removesuffix("Function")
        if function["Role"] != f"{stem}Role.Arn":
            yield f"{name} wears {function['Role']}"
        if function.get("LoggingConfig", {}).get("LogGroup") != f"{stem}Logs":
            yield f"{name} does not log to {stem}Logs"
        write = {"logs:CreateLogStream", "logs:PutLogEvents"}
        if not allows(view, f"{stem}Role", write, f"{stem}Logs.Arn"):
            yield f"{stem}Role cannot write {stem}Logs"
        variables = set(function["Environment"]["Variables"])
        if variables != contract.ENVIRONMENT[name]:
            yield f"{name}: variables differ by {variables ^ contract.ENVIRONMENT[name]}"
    expected = {f"{name.removesuffix('Function')}Role" for name in functions} | {"SchedulerRole"}
    if set(roles) != expected:
        yield f"roles are {sorted(roles)}"
    for name, role in roles.items():
        if role.get("ManagedPolicyArns"):
            yield f"{name} has managed policies"
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name in view.of_type(kind).keys() - {"OpsReaderPolicy"}:  # which no function wears
            yield f"{name}: policies stand in their role"
    for name, log in logs.items():
        if not log.get("RetentionInDays"):
            yield f"{name} keeps its lines for ever"


@rule(
    "a role is assumed by its one service; the scheduler's for schedules of our group alone",
    anybody=in_statement("SenderRole", "LambdaAssumes", Principal={"AWS": "*"}),
    wrong_service=in_statement(
        "IngestRole", "LambdaAssumes", Principal={"Service": "ec2.amazonaws.com"}
    ),
    anybodys_schedule=in_statement("SchedulerRole", "OurSchedulesAssume", Condition=None),
    any_group=in_statement(
        "SchedulerRole",
        "OurSchedulesAssume",
        Condition={"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    ),
    lambda_too=in_statement(
        "SchedulerRole",
        "OurSchedulesAssume",
        Principal={"Service": ["scheduler.amazonaws.com", "lambda.amazonaws.com"]},
    ),
)
def trust(stacks):
    ours = {"aws:SourceAccount": "AWS::AccountId", "aws:SourceArn": "RetryScheduleGroup.Arn"}
    for owner, kind, statement in stacks.prod.statements():
        if kind != "trust":
            continue
        scheduler = owner == "SchedulerRole"
        service = "scheduler.amazonaws.com" if scheduler else "lambda.amazonaws.com"
        if statement["Principal"] != {"Service": service}:
            yield f"{owner} may be assumed by {statement['Principal']}"
        condition = {"StringEquals": ours} if scheduler else None
        if statement.get("Condition") != condition:
            yield f"{owner} may be assumed under {statement.get('Condition')}, not {condition}"


@rule(
    "the sender alone lends a role, the scheduler's, to Scheduler; it wakes RetryQueue, no more",
    any_role=in_statement("SenderRole", "LendSchedulesTheirRole", Resource="*"),
    any_service=in_statement("SenderRole", "LendSchedulesTheirRole", Condition=None),
    other_service=in_statement(
        "SenderRole",
        "LendSchedulesTheirRole",
        Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    ),
    cannot_lend=in_statement("SenderRole", "LendSchedulesTheirRole", Action="iam:GetRole"),
    another_lender=add_statement(
        "SweeperRole", Action="iam:PassRole", Resource={"Fn::GetAtt": "SchedulerRole.Arn"}
    ),
    any_queue=in_statement(
        "SchedulerRole", "PutTheWakeUpOnRetryQueue", Resource={"Fn::GetAtt": "SendQueue.Arn"}
    ),
    more=add_statement(
        "SchedulerRole", Action="sqs:SendMessage", Resource={"Fn::GetAtt": "EventsQueue.Arn"}
    ),
    other_group=in_statement(
        "SenderRole",
        "ScheduleLaterAttempts",
        Resource={"Fn::Sub": "arn:${AWS::Partition}:scheduler:*:${AWS::AccountId}:schedule/*/*"},
    ),
)
def pass_role(stacks):
    def with_action(action):
        return [
            (owner, statement["Resource"], statement.get("Condition"))
            for owner, _kind, statement in stacks.prod.statements()
            if action in listed(statement["Action"])
        ]

    to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    if with_action("iam:PassRole") != [("SenderRole", "SchedulerRole.Arn", to_scheduler)]:
        yield f"iam:PassRole is {with_action('iam:PassRole')}"
    prefix = "arn:${AWS::Partition}:scheduler:${AWS::Region}:${AWS::AccountId}:schedule/"
    group = prefix + "${RetryScheduleGroup}/*"
    if with_action("scheduler:CreateSchedule") != [("SenderRole", group, None)]:
        yield f"scheduler:CreateSchedule is {with_action('scheduler:CreateSchedule')}"
    may = [
        (statement["Action"], statement["Resource"])
        for owner, kind, statement in stacks.prod.statements()
        if owner == "SchedulerRole" and kind == "identity"
    ]
    if may != [("sqs:SendMessage", "RetryQueue.Arn")]:
        yield f"SchedulerRole may {may}"


@rule(
    "secrets are read by sender and API, written by the API, the key works through DynamoDB alone",
    another_reader=add_statement(
        "SweeperRole",
        Action="dynamodb:GetItem",
        Resource={"Fn::GetAtt": "EndpointSecretsTable.Arn"},
    ),
    writer=in_statement(
        "SenderRole", "ReadSecrets", Action=["dynamodb:GetItem", "dynamodb:PutItem"]
    ),
    cannot_decrypt=in_statement(
        "SenderRole", "DecryptSecretsThroughDynamoDb", Action="kms:Encrypt"
    ),
    decrypts_directly=in_statement("SenderRole", "DecryptSecretsThroughDynamoDb", Condition=None),
    key_used_directly=in_statement("SecretsKey", "TheAccountUsesItThroughDynamoDb", Condition=None),
    administrators_use_it=in_statement(
        "SecretsKey", "TheAccountAdministersTheKey", Action=["kms:Describe*", "kms:Decrypt"]
    ),
    whole_key=in_statement("SecretsKey", "TheAccountAdministersTheKey", Action="kms:*"),
)
def secrets(stacks):
    through = {"StringEquals": {"kms:ViaService": "dynamodb.${AWS::Region}.amazonaws.com"}}
    readers = []
    for owner, kind, statement in stacks.prod.statements():
        resources, actions = listed(statement.get("Resource")), listed(statement["Action"])
        if statement["Effect"] == "Deny":
            continue
        if {"EndpointSecretsTable.Arn", "SecretsKey.Arn"} & set(resources):
            readers.append((owner, resources, actions, statement.get("Condition")))
        uses = [a for a in actions if not a.startswith(contract.KEY_ADMINISTRATION)]
        if kind == "key" and uses and statement.get("Condition") != through:
            yield f"{owner} may be used past DynamoDB: {uses}"
    table, key = ["EndpointSecretsTable.Arn"], ["SecretsKey.Arn"]
    if readers != [
        ("SenderRole", table, ["dynamodb:GetItem"], None),
        ("SenderRole", key, ["kms:Decrypt"], through),
        ("ApiRole", table, ["dynamodb:GetItem"], None),
        ("ApiRole", table, ["dynamodb:PutItem"], None),
        ("ApiRole", table, ["dynamodb:UpdateItem"], None),
        ("ApiRole", key, ["kms:Decrypt"], through),
    ]:
        yield f"secrets are open to {readers}"


@rule(
    "no function can delete a record, a queue, a log or a schedule",
    deletes=in_statement("SweeperRole", "MarkDeliveries", Action="dynamodb:DeleteItem"),
    purges=add_statement(
        "SenderRole", Action="sqs:PurgeQueue", Resource={"Fn::GetAtt": "SendQueue.Arn"}
    ),
)
def no_deleting(stacks):
    for owner, kind, statement in stacks.prod.statements():
        for action in listed(statement["Action"]) if kind == "identity" else []:
            verb = action.split(":")[1]
            if verb.startswith(("Delete", "Purge")) and action != "sqs:DeleteMessage":
                yield f"{owner} may {action}"


@rule(
    "a function may do something with everything its variables name",
    forgotten=in_statement(
        "SweeperRole", "DrainLaterAttempts", Resource={"Fn::GetAtt": "SendDlq.Arn"}
    ),
)
def granted(stacks):
    for name, function in stacks.prod.of_type("AWS::Lambda::Function").items():
        role = function["Role"].removesuffix(".Arn")
        reach = " ".join(
            str(statement.get("Resource"))
            for owner, kind, statement in stacks.prod.statements()
            if owner == role and kind == "identity"
        )
        for variable, value in function["Environment"]["Variables"].items():
            resource = str(value).removesuffix(".Arn")
            if resource in stacks.prod.resources and resource not in reach:
                yield f"{name} is told of {variable} and may do nothing with it"


def allows(view, role, actions, resource):
    return any(
        owner == role and set(listed(s["Action"])) == actions and s.get("Resource") == resource
        for owner, _kind, s in view.statements()
    )
