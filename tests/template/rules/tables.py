"""Tables: keys, encryption, and what happens to them in the end."""

import contract

from .kit import cut, prop, put, rule


@rule(
    "every table is encrypted, the secrets under a rotated key of their own",
    unencrypted=cut(prop("DeliveriesTable", "SSESpecification")),
    off=put(prop("EventsTable", "SSESpecification.SSEEnabled"), False),
    shared_key=cut(prop("EndpointSecretsTable", "SSESpecification.KMSMasterKeyId")),
    key_for_all=put(
        prop("EventsTable", "SSESpecification.KMSMasterKeyId"), {"Fn::GetAtt": "SecretsKey.Arn"}
    ),
    no_rotation=put(prop("SecretsKey", "EnableKeyRotation"), False),
)
def tables_encrypted(stacks):
    for name, table in stacks.prod.of_type("AWS::DynamoDB::Table").items():
        encryption = table.get("SSESpecification", {})
        if encryption.get("SSEEnabled") is not True:
            yield f"{name} has no SSESpecification"
        key = "SecretsKey.Arn" if name == "EndpointSecretsTable" else None
        if encryption.get("KMSMasterKeyId") != key:
            yield f"{name} must use {key or 'the key of DynamoDB'}"
    if stacks.prod.of_type("AWS::KMS::Key")["SecretsKey"].get("EnableKeyRotation") is not True:
        yield "SecretsKey is not rotated"


@rule(
    "tables are on demand, protected in prod alone, kept when replaced, restorable where it counts",
    provisioned=put(prop("EventsTable", "BillingMode"), "PROVISIONED"),
    unprotected=put(prop("EndpointsTable", "DeletionProtectionEnabled"), False),
    protected_everywhere=put(prop("EndpointsTable", "DeletionProtectionEnabled"), True),
    lost_when_replaced=put("Resources.DeliveriesTable.UpdateReplacePolicy", "Delete"),
    left_behind=put("Resources.DeliveriesTable.DeletionPolicy", "Retain"),
    not_restorable=cut(prop("EndpointSecretsTable", "PointInTimeRecoverySpecification")),
    never_expires=cut(prop("EventsTable", "TimeToLiveSpecification")),
    expires_by_other=put(
        prop("DeliveriesTable", "TimeToLiveSpecification.AttributeName"), "expires"
    ),
    other_index=put(prop("DeliveriesTable", "GlobalSecondaryIndexes"), []),
    other_key=lambda t: t["Resources"]["EventsTable"]["Properties"]["KeySchema"].clear(),
)
def tables(stacks):
    local = stacks.local.of_type("AWS::DynamoDB::Table")
    found = {}
    for name, table in stacks.prod.of_type("AWS::DynamoDB::Table").items():
        found[name] = shape(table)
        if table.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name} costs money when nothing is sent"
        protected = [each.get("DeletionProtectionEnabled") for each in (table, local[name])]
        if protected != [True, False]:
            yield f"{name} must be protected from deletion in prod, and only there"
        resource = stacks.prod.resources[name]
        if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != (
            "Delete",
            "Retain",
        ):
            yield f"{name} must go with its stack and stay when replaced"
    for name in found.keys() | contract.TABLES.keys():
        if found.get(name) != contract.TABLES.get(name):
            yield f"{name} is {found.get(name)}, not {contract.TABLES.get(name)}"


def shape(table):
    """Keys, indexes, expiry and restorability of a table, comparable."""

    def keys(schema):
        return [key["AttributeName"] for key in schema]

    return {
        "keys": keys(table["KeySchema"]),
        "indexes": {
            index["IndexName"]: keys(index["KeySchema"])
            for index in table.get("GlobalSecondaryIndexes", [])
            if index["Projection"]["ProjectionType"] == "KEYS_ONLY"
        },
        "ttl": table.get("TimeToLiveSpecification", {}).get("AttributeName"),
        "restorable": table.get("PointInTimeRecoverySpecification", {}).get(
            "PointInTimeRecoveryEnabled", False
        ),
    }
