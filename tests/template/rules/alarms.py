"""Alarms: what they look at is what the functions tell, and whoever wants to hear them does."""

from .kit import cut, prop, put, rule


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
