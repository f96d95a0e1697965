"""Has templates see function URLs in the form that works on this machine.

`!GetAtt …FunctionUrl` is a host name of AWS, which no name server knows. The same function answers
under a path of the emulator.
"""

from __future__ import annotations


def install(endpoint_url: str) -> None:
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    attributes = provisioners._lambda_url_attributes

    def attributes_with_path(config):
        told = attributes(config)
        url_id = lambda_svc._function_url_id(told["FunctionUrl"])
        return told | {"FunctionUrl": f"{endpoint_url}/_aws/lambda-url/{url_id}/"}

    provisioners._lambda_url_attributes = attributes_with_path
