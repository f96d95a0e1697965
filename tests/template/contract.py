"""What others rely on: names, defaults and exceptions that the template must match exactly.

From sections 3.6 to 3.8 and 4.4 to 4.6 of the design. A later part of the system adds its lines
here together with its lines in template.yaml.
"""

PARAMETERS = {
    "Stage": "prod",
    "Architecture": "arm64",
    "ProducerPrincipals": "",
    "RetryDelaysSeconds": "300,1800,7200,28800",
    "GiveUpAfterSeconds": "86400",
    "SqsDelayMaxSeconds": "900",
    "RequestTimeoutSeconds": "30",
    "SecretOverlapSeconds": "86400",
    "ApiConcurrency": "50",
    "RetentionDays": "30",
    "AlertAfterSeconds": "3600",
    "WarnAfterSeconds": "259200",
    "DisableAfterSeconds": "604800",
    "AlertSender": "",
    "PublicBaseUrl": "",
    "FrameAncestors": "",
    "OpsAlarmTopicArn": "",
    "Dashboard": "false",
    "CauseAlarms": "false",
    "AllowInsecureTargets": "false",
}

OUTPUTS = {
    "EventsQueueUrl", "RejectedQueueUrl", "SendQueueUrl", "RetryQueueUrl",
    "EventsDlqUrl", "SendDlqUrl", "RetryDlqUrl",
    "EndpointsTable", "EndpointSecretsTable", "EventsTable", "DeliveriesTable", "ApiKeysTable",
    "ApiStateTable", "JobsTable", "ApiUrl",
    "EventBusName", "RetryScheduleGroup",
    "IngestFunction", "SenderFunction", "SweeperFunction", "DailyFunction", "ApiFunction",
}  # fmt: skip

# Table -> keys, keys-only indexes, expiry attribute, point-in-time recovery.
TABLES = {
    "EndpointsTable": {
        "keys": ["account_id", "endpoint_id"],
        "indexes": {
            "by_endpoint_id": ["endpoint_id"],
            "in_trouble": ["trouble", "endpoint_id"],
        },
        "ttl": "ttl",
        "restorable": True,
    },
    "EndpointSecretsTable": {
        "keys": ["endpoint_id"], "indexes": {}, "ttl": "ttl", "restorable": True,
    },
    "EventsTable": {"keys": ["event_id"], "indexes": {}, "ttl": "ttl", "restorable": False},
    "DeliveriesTable": {
        "keys": ["partition", "delivery_id"],
        "indexes": {"due": ["due_shard", "due_at"], "problem": ["problem", "delivery_id"]},
        "ttl": "ttl",
        "restorable": False,
    },
    "ApiKeysTable": {"keys": ["key_id"], "indexes": {}, "ttl": None, "restorable": True},
    "ApiStateTable": {"keys": ["name"], "indexes": {}, "ttl": "ttl", "restorable": False},
    "JobsTable": {
        "keys": ["job_id"],
        "indexes": {"unfinished": ["unfinished", "wakes_at"]},
        "ttl": "ttl",
        "restorable": True,
    },
}  # fmt: skip

# Queue -> who reads it, in which batches, waiting how many seconds for a batch to fill.
LANES = {
    "EventsQueue": ("IngestFunction", 10, 0),
    "SendQueue": ("SenderFunction", 10, 0),
    "RetryQueue": ("SenderFunction", 50, 1),
}

# The functions read exactly these and refuse to start without one.
EVERY_FUNCTION = {"STAGE", "RUST_LOG"}
# Of those that look after endpoints.
CARE = {
    "ENDPOINTS_TABLE", "ALERT_AFTER_SECONDS", "WARN_AFTER_SECONDS", "DISABLE_AFTER_SECONDS",
    "RETENTION_DAYS", "PAGE_URL", "ALERT_SENDER", "MAIL_CONFIGURATION_SET",
}  # fmt: skip
ENVIRONMENT = {
    "IngestFunction": EVERY_FUNCTION | {
        "ENDPOINTS_TABLE", "EVENTS_TABLE", "DELIVERIES_TABLE",
        "SEND_QUEUE_URL", "RETRY_QUEUE_URL", "REJECTED_QUEUE_URL",
        "EVENT_BUS_NAME", "RETENTION_DAYS",
    },
    "SenderFunction": EVERY_FUNCTION | {
        "ENDPOINTS_TABLE", "ENDPOINT_SECRETS_TABLE", "EVENTS_TABLE", "DELIVERIES_TABLE",
        "JOBS_TABLE", "API_STATE_TABLE", "SEND_QUEUE_URL", "RETRY_QUEUE_URL", "RETRY_QUEUE_ARN",
        "EVENT_BUS_NAME", "RETRY_SCHEDULE_GROUP", "SCHEDULER_ROLE_ARN",
        "RETRY_DELAYS_SECONDS", "GIVE_UP_AFTER_SECONDS", "SQS_DELAY_MAX_SECONDS",
        "REQUEST_TIMEOUT_SECONDS", "DISABLE_AFTER_SECONDS", "ALLOW_INSECURE_TARGETS",
    },
    "SweeperFunction": EVERY_FUNCTION | CARE | {
        "EVENTS_TABLE", "DELIVERIES_TABLE", "JOBS_TABLE", "SEND_QUEUE_URL", "RETRY_QUEUE_URL",
        "EVENTS_QUEUE_URL", "EVENTS_DLQ_URL", "SEND_DLQ_URL", "RETRY_DLQ_URL", "EVENT_BUS_NAME",
        "SQS_DELAY_MAX_SECONDS", "RETENTION_DAYS",
    },
    "DailyFunction": EVERY_FUNCTION | CARE | {"DELIVERIES_TABLE", "EVENT_BUS_NAME"},
    "ApiFunction": EVERY_FUNCTION | {
        "ENDPOINTS_TABLE", "ENDPOINT_SECRETS_TABLE", "EVENTS_TABLE", "DELIVERIES_TABLE",
        "API_KEYS_TABLE", "API_STATE_TABLE", "JOBS_TABLE", "SEND_QUEUE_URL", "RETRY_QUEUE_URL",
        "RETENTION_DAYS", "SECRET_OVERLAP_SECONDS", "DISABLE_AFTER_SECONDS", "PUBLIC_BASE_URL", "FRAME_ANCESTORS",
        "ALLOW_INSECURE_TARGETS", "SENDER_FUNCTION",
    },
}  # fmt: skip

# Statement -> why it may use a wildcard.
WILDCARDS = {
    "EventsQueuePolicy/TlsOnly": "a refusal; it should cover every action",
    "InnerQueuesPolicy/TlsOnly": "a refusal; `*` in a queue's policy is that queue",
    "SecretsKey/TheAccountAdministersTheKey": "`*` in a key's policy is that key",
    "SecretsKey/TheAccountUsesItThroughDynamoDb": "`*` in a key's policy is that key",
    "SweeperRole/MailOwners": "the sender may be an address or a domain; a condition names it",
    "DailyRole/MailOwners": "likewise",
    "SweeperRole/MailOwnersOnTheEmulator": "it asks for `*`; never on AWS",
    "DailyRole/MailOwnersOnTheEmulator": "likewise",
    "OpsReaderPolicy/NeitherSecretsNorKeys": "a refusal; it should cover every action",
    "OpsReaderPolicy/ReadFigures": "none of these knows resources",
    "SenderRole/ScheduleLaterAttempts": "a schedule's name is a hash; the group bounds it",
    "SenderRole/ScheduleLaterAttemptsOnTheEmulator": "likewise, and never on AWS",
}

# What the policy for people on call says.
OPS_STATEMENTS = (
    "ReadTheRecords", "NeitherSecretsNorKeys", "NotTheSecretsKey", "CountMessages",
    "LookAtWhatIsSetAside", "ReadLogs", "FindTheStack", "ReadFigures",
)  # fmt: skip

# What exists on AWS or on the emulator alone -> why.
LOCAL_DIFFERENCES = {
    "EventsQueuePolicy": "without producers nothing is left in it: see TlsOnly",
    "EventsQueuePolicy/TlsOnly": "the emulator speaks plain http and would refuse everybody",
    "InnerQueuesPolicy": "nothing is left in it: see TlsOnly",
    "InnerQueuesPolicy/TlsOnly": "the emulator speaks plain http and would refuse everybody",
    "SenderRole/ScheduleLaterAttemptsOnTheEmulator": "it takes every group for `default`",
    "OpsReaderPolicy": "nobody is on call for an emulator",
    **{f"OpsReaderPolicy/{sid}": "likewise" for sid in OPS_STATEMENTS},
    "SweeperRole/MailOwnersOnTheEmulator": "it asks for `*`, whatever the identity",
    "DailyRole/MailOwnersOnTheEmulator": "likewise",
}

# Actions in a key's policy that look after the key; everything else uses it.
KEY_ADMINISTRATION = (
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:Describe",
    "kms:Disable", "kms:Enable", "kms:Get", "kms:List", "kms:PutKeyPolicy", "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:Update",
)  # fmt: skip

# Lint rule -> why its findings do not count. Empty, and better so.
LINT_IGNORED = {}
