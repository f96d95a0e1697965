"""Queues, their policies and who reads them."""

import contract
from model import listed

from .kit import add_statement, cut, in_statement, prop, put, rule

DAY = 86400


@rule(
    "every queue is encrypted",
    unencrypted=put(prop("SendQueue", "SqsManagedSseEnabled"), False),
    unspoken=cut(prop("RetryDlq", "SqsManagedSseEnabled")),
)
def queues_encrypted(stacks):
    for name, queue in stacks.prod.of_type("AWS::SQS::Queue").items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} has no SqsManagedSseEnabled"


@rule(
    "queues keep work for 7 days, dead letters and rejected events for 14",
    short_work=put(prop("EventsQueue", "MessageRetentionPeriod"), 4 * DAY),
    short_dlq=put(prop("SendDlq", "MessageRetentionPeriod"), 7 * DAY),
    default=cut(prop("RejectedQueue", "MessageRetentionPeriod")),
)
def queue_retention(stacks):
    sources = {mapping["EventSourceArn"] for mapping in event_sources(stacks.prod)}
    for name, queue in stacks.prod.of_type("AWS::SQS::Queue").items():
        days = 7 if f"{name}.Arn" in sources else 14
        if queue.get("MessageRetentionPeriod") != days * DAY:
            yield f"{name} must keep messages for {days} days"


@rule(
    "every queue a function reads has a dead-letter queue, and every one of those a source",
    no_redrive=cut(prop("SendQueue", "RedrivePolicy")),
    impatient=put(prop("EventsQueue", "RedrivePolicy.maxReceiveCount"), 4),
    shared=put(
        prop("SendQueue", "RedrivePolicy.deadLetterTargetArn"), {"Fn::GetAtt": "RetryDlq.Arn"}
    ),
    open_to_all=put(prop("EventsDlq", "RedriveAllowPolicy.redrivePermission"), "allowAll"),
    wrong_source=put(prop("SendDlq", "RedriveAllowPolicy.sourceQueueArns"), ["…-retry"]),
    renamed=put(prop("RetryQueue", "QueueName"), "other"),
    too_small=put(prop("EventsDlq", "MaximumMessageSize"), 262144),
)
def dead_letters(stacks):
    queues = stacks.prod.of_type("AWS::SQS::Queue")
    sources_of = {}
    for mapping in event_sources(stacks.prod):
        name = mapping["EventSourceArn"].removesuffix(".Arn")
        redrive = queues[name].get("RedrivePolicy")
        if redrive is None:
            yield f"{name} has no dead-letter queue"
            continue
        if redrive["maxReceiveCount"] < 5:
            yield f"{name} gives up after {redrive['maxReceiveCount']} receives; AWS advises 5"
        dlq = redrive["deadLetterTargetArn"].removesuffix(".Arn")
        sources_of.setdefault(dlq, []).append(name)
        if queues[dlq]["MaximumMessageSize"] < queues[name]["MaximumMessageSize"]:
            yield f"{dlq} takes smaller messages than {name}"
    for dlq in (name for name in queues if name.endswith("Dlq")):
        if len(sources_of.get(dlq, [])) != 1:
            yield f"{dlq} must serve one queue, serves {sources_of.get(dlq, [])}"
            continue
        (source,) = sources_of[dlq]
        prefix = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:"
        wanted = {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [prefix + queues[source]["QueueName"]],
        }
        if queues[dlq].get("RedriveAllowPolicy") != wanted:
            yield f"{dlq} must allow {source}, and it alone, to redrive into it"


@rule(
    "a refused body still fits RejectedQueue, with its attributes",
    larger=put(prop("EventsQueue", "MaximumMessageSize"), 1048576),
    default=cut(prop("EventsQueue", "MaximumMessageSize")),
)
def rejected_fits(stacks):
    queues = stacks.prod.of_type("AWS::SQS::Queue")
    accepted = queues["EventsQueue"].get("MaximumMessageSize", 1048576)
    if accepted + 4096 != queues["RejectedQueue"].get("MaximumMessageSize"):
        yield "EventsQueue must take 4 KiB less than RejectedQueue"


@rule(
    "every queue refuses plain http on AWS, and none does on the emulator, which has nothing else",
    events_open=cut("Resources.EventsQueuePolicy"),
    inner_open=cut("Resources.InnerQueuesPolicy"),
    one_forgotten=lambda t: t["Resources"]["InnerQueuesPolicy"]["Properties"]["Queues"].pop(),
    toothless=in_statement("InnerQueuesPolicy", "TlsOnly", Effect="Allow"),
    inverted=in_statement(
        "EventsQueuePolicy", "TlsOnly", Condition={"Bool": {"aws:SecureTransport": "true"}}
    ),
    only_sends=in_statement("EventsQueuePolicy", "TlsOnly", Action="sqs:SendMessage"),
    one_principal=in_statement("EventsQueuePolicy", "TlsOnly", Principal={"AWS": "111122223333"}),
    local_too=cut("Resources.InnerQueuesPolicy.Condition"),
)
def tls_only(stacks):
    for view in (stacks.prod, stacks.prod_with_producers):
        guarded = {queue for queue, statement in queue_statements(view) if refuses_http(statement)}
        for name in view.of_type("AWS::SQS::Queue").keys() - guarded:
            yield f"{name} may be used over plain http"
    for queue, statement in queue_statements(stacks.local):
        if statement["Effect"] == "Deny":
            yield f"{queue} refuses plain http on the emulator as well"


@rule(
    "only the named producers are let into a queue by its policy, into EventsQueue alone",
    everybody=in_statement("EventsQueuePolicy", "ProducersSend", Principal="*"),
    more_actions=in_statement(
        "EventsQueuePolicy", "ProducersSend", Action=["sqs:SendMessage", "sqs:ReceiveMessage"]
    ),
    unconditional=put("Conditions.HasProducers", {"Fn::Equals": ["", ""]}),
    never=put("Conditions.HasProducers", {"Fn::Equals": ["", "x"]}),
    elsewhere=add_statement(
        "InnerQueuesPolicy",
        Principal={"AWS": "111122223333"},
        Action="sqs:SendMessage",
        Resource="*",
    ),
)
def producers(stacks):
    def allowed(view):
        return [(q, s) for q, s in queue_statements(view) if s["Effect"] == "Allow"]

    for queue, statement in allowed(stacks.prod):
        yield f"{queue} lets {statement['Principal']} in although there are no producers"
    named = stacks.prod_with_producers.parameters["ProducerPrincipals"].split(",")
    found = allowed(stacks.prod_with_producers)
    if [queue for queue, _ in found] != ["EventsQueue"]:
        yield f"producers must be let into EventsQueue alone, not {[q for q, _ in found]}"
    for queue, statement in found:
        if statement["Principal"] != {"AWS": named}:
            yield f"{queue} lets {statement['Principal']} in, not the named producers"
        if not set(listed(statement["Action"])) <= {"sqs:SendMessage", "sqs:GetQueueUrl"}:
            yield f"producers may {statement['Action']}"


@rule(
    "a queue hides a batch for 6 times its reader's timeout, plus the window",
    events=put(prop("EventsQueue", "VisibilityTimeout"), 359),
    window=put(prop("RetryQueue", "VisibilityTimeout"), 360),
    default=cut(prop("SendQueue", "VisibilityTimeout")),
    slower_function=put(prop("SenderFunction", "Timeout"), 61),
)
def visibility(stacks):
    functions = stacks.prod.of_type("AWS::Lambda::Function")
    queues = stacks.prod.of_type("AWS::SQS::Queue")
    for mapping in event_sources(stacks.prod):
        queue = mapping["EventSourceArn"].removesuffix(".Arn")
        needed = 6 * functions[mapping["FunctionName"]]["Timeout"]
        needed += mapping.get("MaximumBatchingWindowInSeconds", 0)
        if queues[queue].get("VisibilityTimeout", 30) < needed:
            yield f"{queue} needs a VisibilityTimeout of {needed}"


def lane(event, path):
    """The dotted path of a property of one of the sender's event sources."""
    return prop("SenderFunction", f"Events.{event}.Properties.{path}")


@rule(
    "each lane is read in its own way, reports single failures and is limited",
    all_or_nothing=cut(lane("FirstAttempts", "FunctionResponseTypes")),
    unlimited=cut(lane("LaterAttempts", "ScalingConfig")),
    reserved=put(prop("SenderFunction", "ReservedConcurrentExecutions"), 10),
    one_at_a_time=put(lane("LaterAttempts", "BatchSize"), 10),
    kept_waiting=put(lane("FirstAttempts", "MaximumBatchingWindowInSeconds"), 1),
    unread=cut(prop("SenderFunction", "Events.LaterAttempts")),
)
def lanes(stacks):
    found = {}
    for mapping in event_sources(stacks.prod):
        queue = mapping["EventSourceArn"].removesuffix(".Arn")
        window = mapping.get("MaximumBatchingWindowInSeconds", 0)
        found[queue] = (mapping["FunctionName"], mapping["BatchSize"], window)
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{queue}: one bad record would fail its whole batch"
        if not mapping.get("ScalingConfig", {}).get("MaximumConcurrency"):
            yield f"{queue} is read without a MaximumConcurrency"
    if found != contract.LANES:
        yield f"lanes are {found}"
    functions = stacks.prod.of_type("AWS::Lambda::Function")
    for name in sorted({reader for reader, _size, _window in found.values()}):
        if "ReservedConcurrentExecutions" in functions[name]:
            yield f"{name} reserves concurrency, which sends unread messages to the DLQ"


def event_sources(view):
    return view.of_type("AWS::Lambda::EventSourceMapping").values()


def queue_statements(view):
    """(queue, statement) for all queue policies."""
    for policy in view.of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            for queue in policy["Queues"]:
                if statement["Resource"] in ("*", f"{queue}.Arn"):
                    yield queue, statement


def refuses_http(statement):
    wanted = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return all(statement.get(field) == value for field, value in wanted.items())
