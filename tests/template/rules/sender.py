"""The sender: the one function that calls addresses which customers chose."""

from model import listed

from .kit import add_statement, in_statement, rule

# Everything it may do, and on what. Were a request ever turned against us, this is all it got.
MAY = {
    ("sqs:ReceiveMessage", "SendQueue.Arn"),
    ("sqs:DeleteMessage", "SendQueue.Arn"),
    ("sqs:GetQueueAttributes", "SendQueue.Arn"),
    ("sqs:SendMessage", "SendQueue.Arn"),
    ("sqs:ReceiveMessage", "RetryQueue.Arn"),
    ("sqs:DeleteMessage", "RetryQueue.Arn"),
    ("sqs:GetQueueAttributes", "RetryQueue.Arn"),
    ("sqs:SendMessage", "RetryQueue.Arn"),
    ("dynamodb:GetItem", "DeliveriesTable.Arn"),
    ("dynamodb:UpdateItem", "DeliveriesTable.Arn"),
    ("dynamodb:Query", "DeliveriesTable.Arn"),
    ("dynamodb:Query", "${DeliveriesTable.Arn}/index/problem"),
    ("dynamodb:GetItem", "JobsTable.Arn"),
    ("dynamodb:PutItem", "JobsTable.Arn"),
    ("dynamodb:GetItem", "EventsTable.Arn"),
    ("dynamodb:GetItem", "EndpointsTable.Arn"),
    ("dynamodb:UpdateItem", "EndpointsTable.Arn"),
    ("dynamodb:UpdateItem", "ApiStateTable.Arn"),
    ("dynamodb:GetItem", "EndpointSecretsTable.Arn"),
    ("kms:Decrypt", "SecretsKey.Arn"),
    ("scheduler:CreateSchedule", "RetryScheduleGroup"),
    ("iam:PassRole", "SchedulerRole.Arn"),
    ("events:PutEvents", "EventBus.Arn"),
    ("logs:CreateLogStream", "SenderLogs.Arn"),
    ("logs:PutLogEvents", "SenderLogs.Arn"),
}


@rule(
    "the sender's role may do what the sender does, and nothing else",
    one_more=add_statement(
        "SenderRole", Action="dynamodb:Scan", Resource={"Fn::GetAtt": "DeliveriesTable.Arn"}
    ),
    other_table=add_statement(
        "SenderRole", Action="dynamodb:GetItem", Resource={"Fn::GetAtt": "ApiKeysTable.Arn"}
    ),
    one_less=in_statement("SenderRole", "RecordAttempts", Action="dynamodb:GetItem"),
    refusal_as_permission=in_statement("SenderRole", "ReadEvents", Effect="Deny"),
)
def may(stacks):
    found = set()
    for owner, kind, statement in stacks.prod.statements():
        if owner != "SenderRole" or kind != "identity":
            continue
        if statement["Effect"] != "Allow":
            yield f"{statement['Sid']} refuses what nothing allows"
            continue
        for resource in listed(statement["Resource"]):
            group = "${RetryScheduleGroup}/*" in resource
            name = "RetryScheduleGroup" if group else resource
            found |= {(action, name) for action in listed(statement["Action"])}
    for action, resource in sorted(found - MAY):
        yield f"the sender may {action} on {resource}"
    for action, resource in sorted(MAY - found):
        yield f"the sender may not {action} on {resource}"
