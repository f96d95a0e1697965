"""People on call: what they may read, and that it ends there."""

import contract
from model import listed

from .kit import add_statement, cut, in_statement, prop, put, rule

POLICY = "OpsReaderPolicy"
READS = {
    "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:DescribeTable",
    "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility",
    "logs:FilterLogEvents", "logs:StartQuery", "logs:GetQueryResults",
    "cloudformation:DescribeStacks", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData",
    "lambda:GetAccountSettings",
}  # fmt: skip
RECORDS = {"EventsTable.Arn", "DeliveriesTable.Arn", "EndpointsTable.Arn", "JobsTable.Arn"}
SECRETS = {"EndpointSecretsTable.Arn", "ApiKeysTable.Arn", "ApiStateTable.Arn"}
WORK = {"EventsQueue.Arn", "SendQueue.Arn", "RetryQueue.Arn"}


@rule(
    "people on call read records, queues and logs, and neither write nor read secrets or keys",
    gone=cut(f"Resources.{POLICY}"),
    on_the_emulator=cut(f"Resources.{POLICY}.Condition"),
    reads_secrets=add_statement(
        POLICY, Action="dynamodb:GetItem", Resource={"Fn::GetAtt": "EndpointSecretsTable.Arn"}
    ),
    reads_keys=add_statement(
        POLICY, Action="dynamodb:Scan", Resource={"Fn::GetAtt": "ApiKeysTable.Arn"}
    ),
    decrypts=in_statement(POLICY, "NotTheSecretsKey", Effect="Allow"),
    not_denied=in_statement(POLICY, "NeitherSecretsNorKeys", Action="dynamodb:PutItem"),
    denied_in_part=in_statement(
        POLICY, "NeitherSecretsNorKeys", Resource=[{"Fn::GetAtt": "ApiKeysTable.Arn"}]
    ),
    writes=add_statement(
        POLICY, Action="dynamodb:UpdateItem", Resource={"Fn::GetAtt": "DeliveriesTable.Arn"}
    ),
    purges=in_statement(POLICY, "CountMessages", Action="sqs:PurgeQueue"),
    takes_from_work=in_statement(
        POLICY, "LookAtWhatIsSetAside", Resource={"Fn::GetAtt": "SendQueue.Arn"}
    ),
    cannot_read=in_statement(
        POLICY, "ReadTheRecords", Resource={"Fn::GetAtt": "EventsTable.Arn"}
    ),
    attached=put(prop(POLICY, "Roles"), [{"Ref": "SenderRole"}]),
)
def on_call(stacks):
    policies = stacks.prod.of_type("AWS::IAM::ManagedPolicy")
    if set(policies) != {POLICY} or stacks.local.of_type("AWS::IAM::ManagedPolicy"):
        yield f"policies on their own are {sorted(policies)}"
        return
    if policies[POLICY].keys() & {"Roles", "Users", "Groups"}:
        yield f"{POLICY} is attached to somebody"
    statements = policies[POLICY]["PolicyDocument"]["Statement"]
    if tuple(each["Sid"] for each in statements) != contract.OPS_STATEMENTS:
        yield f"{POLICY} has other statements than are listed"
    allowed, denied = set(), set()
    for each in statements:
        kind = allowed if each["Effect"] == "Allow" else denied
        kind |= {(a, r) for a in listed(each["Action"]) for r in listed(each["Resource"])}
    for action, resource in sorted(allowed):
        if action not in READS:
            yield f"{action} is no reading"
        if resource in SECRETS or resource.startswith("SecretsKey"):
            yield f"{action} on {resource} is allowed"
        if action == "sqs:ReceiveMessage" and resource in WORK:
            yield f"looking at a message of {resource} costs it a try"
    for missing in {("dynamodb:GetItem", table) for table in RECORDS} - allowed:
        yield f"{missing} is not allowed"
    wanted = {("dynamodb:*", table) for table in SECRETS} | {("kms:Decrypt", "SecretsKey.Arn")}
    if denied != wanted:
        yield f"{sorted(denied ^ wanted)} of what is denied differs"
