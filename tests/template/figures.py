"""Prints the numbers that stand in the template and in the code: {"what": number}.

    python tests/template/figures.py --template template.yaml

`tests/all/template.rs` compares them with the constants of the code.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from model import parse

# Name -> path into the template.
NUMBERS = {
    "events_queue_message_bytes": ("Resources", "EventsQueue", "Properties", "MaximumMessageSize"),
    "sqs_delay_max_s": ("Parameters", "SqsDelayMaxSeconds", "MaxValue"),
    "sqs_delay_default_s": ("Parameters", "SqsDelayMaxSeconds", "Default"),
    "request_timeout_max_s": ("Parameters", "RequestTimeoutSeconds", "MaxValue"),
    "request_timeout_default_s": ("Parameters", "RequestTimeoutSeconds", "Default"),
    "retry_delays_default_s": ("Parameters", "RetryDelaysSeconds", "Default"),
    "give_up_after_default_s": ("Parameters", "GiveUpAfterSeconds", "Default"),
    "retention_max_days": ("Parameters", "RetentionDays", "MaxValue"),
    "secret_overlap_max_s": ("Parameters", "SecretOverlapSeconds", "MaxValue"),
    "disable_after_max_s": ("Parameters", "DisableAfterSeconds", "MaxValue"),
    "disable_after_default_s": ("Parameters", "DisableAfterSeconds", "Default"),
    "give_up_after_max_s": ("Parameters", "GiveUpAfterSeconds", "MaxValue"),
    "sender_timeout_s": ("Resources", "SenderFunction", "Properties", "Timeout"),
    "api_timeout_s": ("Resources", "ApiFunction", "Properties", "Timeout"),
    "ingest_timeout_s": ("Resources", "IngestFunction", "Properties", "Timeout"),
    "sweeper_timeout_s": ("Resources", "SweeperFunction", "Properties", "Timeout"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--template", type=Path, required=True)
    template = parse(parser.parse_args().template)
    print(json.dumps({name: at(template, path) for name, path in NUMBERS.items()}, indent=1))


def at(template, path: tuple[str, ...]):
    for key in path:
        template = template[key]
    return template


if __name__ == "__main__":
    main()
