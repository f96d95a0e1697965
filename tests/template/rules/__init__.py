"""What must be true of the template: above all what the emulator cannot enforce.

A rule gets the stack as three sets of parameters make it and yields a sentence per finding. Beside
each rule stand the mutations that must make it speak; `check.py` tries every one.
"""

from . import alarms, doors, ops, queues, roles, sender, tables, whole
from .kit import RULES, Stacks, cut, prop, put

__all__ = [
    "RULES", "Stacks", "alarms", "cut", "doors", "ops", "prop", "put",
    "queues", "roles", "sender", "tables", "whole",
]  # fmt: skip
