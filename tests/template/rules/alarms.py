"""Alarms: what they look at is what the functions tell, and whoever wants to hear them does."""

import functools
import re
from pathlib import Path

import contract
from model import View

from .kit import cut, prop, put, rule

DAY = 86_400


@rule(
    "the audit's figure has an alarm that goes off above 0 and stays on until it is 0 again",
    silent=cut("Resources.UnexplainedAlarm"),
    other_metric=put(prop("UnexplainedAlarm", "MetricName"), "Explained"),
    other_function=put(
        prop("UnexplainedAlarm", "Dimensions"),
        [{"Name": "FunctionName", "Value": {"Ref": "SenderFunction"}}],
    ),
    deaf=put(prop("UnexplainedAlarm", "Threshold"), 1),
    averaged=put(prop("UnexplainedAlarm", "Statistic"), "Average"),
    forgetful=put(prop("UnexplainedAlarm", "TreatMissingData"), "notBreaching"),
)
def unexplained(stacks):
    alarm = stacks.prod.of_type("AWS::CloudWatch::Alarm").get("UnexplainedAlarm", {})
    wanted = {
        "Namespace": "RackwaveWebhooks",
        "MetricName": "Unexplained",
        "Dimensions": [{"Name": "FunctionName", "Value": "SweeperFunction"}],
        "Statistic": "Maximum",
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    }
    for field, value in wanted.items():
        if alarm.get(field) != value:
            yield f"UnexplainedAlarm: {field} is {alarm.get(field)}, not {value}"


ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "infra" / "runbook.md"
JOURNEYS = sorted((ROOT / "tests" / "all" / "journeys").glob("alarms/*.rs"))
METRICS = ROOT / "shared" / "domain" / "src" / "metric.rs"
TOPIC = "arn:aws:sns:eu-central-1:111122223333:ops"

# Who must be woken; everything else waits for the morning.
PAGES = {"UnexplainedAlarm", "OverdueAlarm", "FirstAttemptsWaitAlarm", "SweeperSilentAlarm"}

# How many alarms the parameter CauseAlarms adds, as its description says.
CAUSES = 9

# Metrics of AWS that alarms look at, as AWS names them: namespace -> dimension, what it names.
AWS = {
    "AWS/SQS": ("QueueName", "AWS::SQS::Queue", {
        "ApproximateAgeOfOldestMessage", "ApproximateAgeOfOldestMessageInQuietGroups",
        "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible",
    }),
    "AWS/Lambda": ("FunctionName", "AWS::Lambda::Function", {"Errors", "Throttles"}),
    "AWS/Scheduler": ("ScheduleGroup", "AWS::Scheduler::ScheduleGroup", {
        "InvocationDroppedCount", "TargetErrorCount", "InvocationThrottleCount",
    }),
    "AWS/SES": ("ses:configuration-set", "AWS::SES::ConfigurationSet", {
        "Reputation.BounceRate", "Reputation.ComplaintRate",
    }),
}  # fmt: skip


@functools.cache
def told():
    """Which of our figures each function tells, as its source has it."""
    code = METRICS.read_text("utf-8").split("pub fn unit")[0]
    names = dict(re.findall(r'Metric::(\w+) => "([A-Za-z]+)",', code))
    found = {}
    for folder in sorted((ROOT / "functions").iterdir()):
        code = "".join(file.read_text("utf-8") for file in sorted(folder.glob("src/**/*.rs")))
        uses = set(re.findall(r"Metric::([A-Z]\w+)", code))
        found[f"{folder.name.capitalize()}Function"] = {names[use] for use in uses}
    for figure in names.values():
        tellers = [name for name, figures in found.items() if figure in figures]
        assert len(tellers) == 1, f"{figure} is told by {tellers}"
    return set(names.values()), found


def alarms_of(view):
    return view.of_type("AWS::CloudWatch::Alarm")


def all_alarms(stacks, **parameters):
    """With those that name causes."""
    view = View(stacks.prod.expanded, Stage="prod", CauseAlarms="true", **parameters)
    return alarms_of(view)


def watched(alarms):
    """What they look at: each metric, and whose."""
    return {(a["MetricName"], d["Value"]) for a in alarms.values() for d in a["Dimensions"]}


@rule(
    "an alarm looks at a metric that exists, of something in this stack",
    misspelt=put(prop("OverdueAlarm", "MetricName"), "OldestOverdu"),
    untold=put(prop("HopsAlarm", "Dimensions"), [{"Name": "FunctionName", "Value": "x"}]),
    other_space=put(prop("SendDlqAlarm", "Namespace"), "AWS/Sqs"),
    no_such_metric=put(prop("SendDlqAlarm", "MetricName"), "NumberOfMessages"),
    other_dimension=put(
        prop("SendDlqAlarm", "Dimensions"), [{"Name": "Queue", "Value": {"Ref": "SendDlq"}}]
    ),
    url_for_a_name=put(
        prop("SendDlqAlarm", "Dimensions"), [{"Name": "QueueName", "Value": {"Ref": "SendDlq"}}]
    ),
    no_dimension=put(prop("SendDlqAlarm", "Dimensions"), []),
    gone=put(
        prop("ApiErrorsAlarm", "Dimensions"),
        [{"Name": "FunctionName", "Value": {"Ref": "NoFunction"}}],
    ),
)
def exist(stacks):
    _all, by_function = told()
    for name, alarm in all_alarms(stacks).items():
        dimensions = [(each["Name"], each["Value"]) for each in alarm.get("Dimensions", [])]
        if len(dimensions) != 1:
            yield f"{name} does not look at one thing"
            continue
        ((dimension, value),) = dimensions
        if alarm["Namespace"] == "RackwaveWebhooks":
            figures = by_function.get(value, set())
            if dimension != "FunctionName" or alarm["MetricName"] not in figures:
                yield f"{name}: {value} does not tell {alarm['MetricName']}"
            continue
        wanted, kind, metrics = AWS.get(alarm["Namespace"], (None, None, ()))
        there = stacks.prod.of_type(kind) if kind else {}
        names = {f"{each}.QueueName" for each in there} if wanted == "QueueName" else set(there)
        if alarm["MetricName"] not in metrics or dimension != wanted or value not in names:
            yield f"{name}: {alarm['Namespace']} has no {alarm['MetricName']} of {value}"


@rule(
    "each of our figures is told by one function, and an alarm or the dashboard looks at it",
    unheard=cut("Resources.DailySilentAlarm"),
    unheard_too=cut("Resources.ManyDisabledAlarm"),
)
def heard(stacks):
    known, _by_function = told()
    dashboards = str(stacks.prod.expanded["Resources"]["OperationsDashboard"])
    heard = {alarm["MetricName"] for alarm in alarms_of(stacks.prod).values()}
    for figure in sorted(known):
        if figure not in heard and f'"{figure}"' not in dashboards:
            yield f"nobody looks at {figure}, and it costs money"


@rule(
    "no page of infra names an alarm that is gone",
    renamed=cut("Resources.HopsAlarm"),
)
def named_in_pages(stacks):
    for page in sorted((ROOT / "infra").glob("*.md")):
        named = set(re.findall(r"\b[A-Z]\w+Alarm\b", page.read_text("utf-8")))
        for name in sorted(named - all_alarms(stacks).keys()):
            yield f"infra/{page.name} names {name}"


@rule(
    "an alarm reaches the topic when it begins and when it ends, with its class in the first word",
    mute=cut(prop("RejectedAlarm", "AlarmActions")),
    endless=cut(prop("RejectedAlarm", "OKActions")),
    unclassed=put(prop("RejectedAlarm", "AlarmDescription"), "events were refused"),
    demoted=put(prop("OverdueAlarm", "AlarmDescription"), "ticket: something is overdue"),
    promoted=put(prop("RejectedAlarm", "AlarmDescription"), "page: a producer errs"),
    off=put(prop("OverdueAlarm", "ActionsEnabled"), False),
    insisting=put(prop("OverdueAlarm", "AlarmActions"), [{"Ref": "OpsAlarmTopicArn"}]),
)
def reach(stacks):
    told = all_alarms(stacks, OpsAlarmTopicArn=TOPIC)
    untold = all_alarms(stacks)
    for name, alarm in told.items():
        for actions in ("AlarmActions", "OKActions"):
            if alarm.get(actions) != [TOPIC]:
                yield f"{name}: {actions} does not reach the topic"
            if actions in untold[name]:
                yield f"{name} wants a topic where there is none"
        if not alarm.get("ActionsEnabled", True):
            yield f"{name} is switched off"
        wanted = "page" if name in PAGES else "ticket"
        if not alarm["AlarmDescription"].startswith(f"{wanted}: "):
            yield f"{name} is no {wanted}"


@rule(
    "whatever can be in trouble has an alarm, of its own or of its effect, and silence is one",
    unwatched_dlq=cut("Resources.EventsDlqAlarm"),
    unwatched_function=cut("Resources.ApiThrottlesAlarm"),
    unwatched_flight=cut("Resources.RetryInFlightAlarm"),
    silent_sweeper=put(prop("SweeperSilentAlarm", "TreatMissingData"), "notBreaching"),
    silent_daily=cut("Resources.DailySilentAlarm"),
    too_long=put(prop("DailySilentAlarm", "EvaluationPeriods"), 169),
    hasty=put(prop("SweeperSilentAlarm", "EvaluationPeriods"), 1),
    hasty_daily=put(prop("DailySilentAlarm", "EvaluationPeriods"), 24),
    late=put(prop("RetryInFlightAlarm", "Threshold"), 120000),
    unwatched_ingest=cut("Resources.EventsWaitAlarm"),
)
def complete(stacks):
    alarms = alarms_of(stacks.prod)
    wanted = {("ApproximateAgeOfOldestMessage", "RejectedQueue.QueueName")}
    wanted |= {
        ("ApproximateNumberOfMessagesVisible", f"{queue}.QueueName")
        for queue in stacks.prod.of_type("AWS::SQS::Queue") if queue.endswith("Dlq")
    }  # fmt: skip
    # Where a queue stands still, for whatever reason, what is on it gets old.
    wanted |= {
        ("ApproximateAgeOfOldestMessage", "EventsQueue.QueueName"),
        ("ApproximateAgeOfOldestMessageInQuietGroups", "SendQueue.QueueName"),
        ("ApproximateNumberOfMessagesNotVisible", "RetryQueue.QueueName"),
        ("Throttles", "ApiFunction"),
    }
    for function in stacks.prod.of_type("AWS::Lambda::Function"):
        # Those that run by the clock are silent when they fail.
        by_the_clock = {"SweeperFunction": "Sweeps", "DailyFunction": "DailyRuns"}
        wanted.add((by_the_clock.get(function, "Errors"), function))
    for metric, value in sorted(wanted - watched(alarms)):
        yield f"nobody watches {metric} of {value}"
    for name, alarm in alarms.items():
        span = alarm["Period"] * alarm["EvaluationPeriods"]
        if span > (7 * DAY if alarm["Period"] >= 3600 else DAY):
            yield f"{name} looks back further than CloudWatch does"
        if alarm["MetricName"] == "ApproximateNumberOfMessagesNotVisible":
            if alarm["Threshold"] > 100_000:
                yield f"{name} goes off when it is too late"
    # Twice what lies between two runs, or a run and its repetition.
    for name, least_s in {"SweeperSilentAlarm": 3 * 300, "DailySilentAlarm": DAY + 3 * 3600}.items():
        alarm = alarms.get(name)
        if not alarm:
            yield f"{name} is not there"
        elif alarm["TreatMissingData"] != "breaching":
            yield f"{name} takes silence for peace"
        elif alarm["Period"] * alarm["EvaluationPeriods"] < least_s:
            yield f"{name} does not wait for the next run"


@rule(
    "an age goes off before SQS leaves a message out of it, which it does at the third receipt",
    blind=put(prop("EventsWaitAlarm", "Threshold"), 900),
    blind_pager=put(prop("SendQueue", "VisibilityTimeout"), 120),
)
def in_time(stacks):
    queues = stacks.prod.of_type("AWS::SQS::Queue")
    for name, alarm in all_alarms(stacks).items():
        if "AgeOfOldest" not in alarm["MetricName"]:
            continue
        queue = alarm["Dimensions"][0]["Value"].removesuffix(".QueueName")
        # What nobody takes from, people look at: the runbook tells them.
        taken = "RedrivePolicy" in queues.get(queue, {})
        if taken and alarm["Threshold"] >= 2 * queues[queue]["VisibilityTimeout"]:
            yield f"{name} is blind to what fails again and again"


@rule(
    "with CauseAlarms each function's errors and throttles have one, and each queue's flight",
    unwatched_errors=cut("Resources.DailyErrorsAlarm"),
    unwatched_throttles=cut("Resources.SenderThrottlesAlarm"),
    unwatched_flight=cut("Resources.EventsInFlightAlarm"),
    unwatched_wave=cut("Resources.SchedulesThrottledAlarm"),
    always=cut("Resources.DailyErrorsAlarm.Condition"),
)
def causes(stacks):
    alarms = all_alarms(stacks)
    wanted = {("InvocationThrottleCount", "RetryScheduleGroup")}
    wanted |= {("ApproximateNumberOfMessagesNotVisible", f"{q}.QueueName") for q in contract.LANES}
    for function in stacks.prod.of_type("AWS::Lambda::Function"):
        wanted |= {("Errors", function), ("Throttles", function)}
    for metric, value in sorted(wanted - watched(alarms)):
        yield f"nobody can watch {metric} of {value}"
    if len(alarms) - len(alarms_of(stacks.prod)) != CAUSES:
        yield f"CauseAlarms adds other than {CAUSES} alarms"


@rule(
    "each alarm has an entry of its name in the runbook, with its class and its numbers",
    unheard_of=put("Resources.NewAlarm", {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}),
    other_threshold=put(prop("OverdueAlarm", "Threshold"), 3600),
    other_time=put(prop("HeldBackAlarm", "EvaluationPeriods"), 6),
    forgotten=cut("Resources.HopsAlarm"),
)
def runbook(stacks):
    written = entries(RUNBOOK.read_text(encoding="utf-8"))
    alarms = all_alarms(stacks)
    for name in sorted(written.keys() ^ alarms.keys()):
        yield f"{name} stands in the template or in the runbook alone"
    for name in sorted(written.keys() & alarms.keys()):
        alarm = alarms[name]
        kind = alarm["AlarmDescription"].split(":")[0]
        periods = alarm["EvaluationPeriods"]
        figures = f"{kind}, {SIGNS[alarm['ComparisonOperator']]} {alarm['Threshold']}"
        figures += f", {alarm.get('DatapointsToAlarm', periods)} of {periods} x {alarm['Period']} s"
        parts = (figures, "**Means**", "**Do**", "**Ends**")
        missing = [part for part in parts if part not in written[name]]
        if missing:
            yield f"the runbook's {name} does not say: {missing}"


@rule(
    "each alarm was tried by a real cause, or is one of those that only AWS can make go off",
    untried=put("Resources.NewAlarm", {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}),
    gone=cut("Resources.HopsAlarm"),
    left_to_aws=put(prop("EventsInFlightAlarm", "Namespace"), "RackwaveWebhooks"),
)
def tried(stacks):
    text = RUNBOOK.read_text("utf-8").split("## How each alarm was tried")[1]
    table, only_compared = text.split("The emulator tells nothing of these")
    compared = set(re.findall(r"\w+Alarm\b", only_compared.replace("(as RetryInFlightAlarm)", "")))
    listed = {name for name in re.findall(r"\w+Alarm\b", table) if is_made_to_go_off(name)}
    alarms = all_alarms(stacks)
    for name in sorted(alarms.keys() ^ (listed | compared)):
        yield f"{name} is only in the template, or in the runbook's list but in no journey"
    for name in sorted(compared & alarms.keys()):
        if alarms[name]["Namespace"] not in ("AWS/Scheduler", "AWS/SES", "AWS/SQS"):
            yield f"{name} can be tried"


def is_made_to_go_off(name):
    """Whether a journey names it; one goes through the functions."""
    journeys = "".join(file.read_text("utf-8") for file in JOURNEYS)
    of_each_function = re.sub(r"^(Ingest|Sender|Sweeper|Daily|Api)", "{name}", name)
    return f'"{name}"' in journeys or f'"{of_each_function}"' in journeys


SIGNS = {"GreaterThanThreshold": "above", "LessThanThreshold": "below"}


def entries(text):
    """The runbook's entries by the names in their headings; alarms of a kind share one."""
    found = {}
    for section in re.split(r"^### ", text, flags=re.M)[1:]:
        heading, body = section.split("\n", 1)
        for name in re.findall(r"\w+Alarm", heading):
            found[name] = body.split("\n## ")[0]
    return found
