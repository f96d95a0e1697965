"""The one door that is open to the internet."""

from .kit import cut, prop, put, rule


@rule(
    "the API alone is open to the internet, by its URL and no other way, and is limited",
    another_door=put(prop("SenderFunction", "FunctionUrlConfig"), {"AuthType": "NONE"}),
    closed=put(prop("ApiFunction", "FunctionUrlConfig.AuthType"), "AWS_IAM"),
    open_otherwise=put(
        "Resources.Open",
        {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "ApiFunction"},
                "Principal": "*",
            },
        },
    ),
    unlimited=cut(prop("ApiFunction", "ReservedConcurrentExecutions")),
    limited_to_other=put(prop("ApiFunction", "ReservedConcurrentExecutions"), 7),
)
def doors(stacks):
    view = stacks.prod
    urls = view.of_type("AWS::Lambda::Url").values()
    urls = [(url["TargetFunctionArn"], url["AuthType"]) for url in urls]
    if urls != [("ApiFunction", "NONE")]:
        yield f"function URLs are {urls}"
    for name, permission in view.of_type("AWS::Lambda::Permission").items():
        by_url = permission.get("FunctionUrlAuthType") or permission.get("InvokedViaFunctionUrl")
        function = permission["FunctionName"]
        if permission["Principal"] == "*" and not (by_url and function == "ApiFunction"):
            yield f"{name} lets anybody invoke {function}"
    limit = view.of_type("AWS::Lambda::Function")["ApiFunction"].get("ReservedConcurrentExecutions")
    if limit != view.parameters["ApiConcurrency"]:
        yield f"ApiConcurrency does not limit the API: {limit}"
