"""Which findings of the rules some mutation has called forth.

A rule may yield several findings; that it can speak is not yet proof that each of them can.
"""

import ast
import contextlib
import pathlib
import sys

RULES = pathlib.Path(__file__).resolve().parent / "rules"


class Reached:
    """The lines of the rules that ran while this was watching."""

    def __init__(self):
        self._lines = set()

    @contextlib.contextmanager
    def watching(self):
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)

    def unreached(self):
        """A description of every finding that never came up."""
        for path in sorted(RULES.glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                lines = {(str(path), line) for line in node_lines(node)}
                if is_finding(node) and not lines & self._lines:
                    yield f"{path.name}:{node.lineno}: {ast.unparse(node.value)}"

    def _trace(self, frame, event, _argument):
        file = frame.f_code.co_filename
        if pathlib.Path(file).parent != RULES:
            return None
        if event == "line":
            self._lines.add((file, frame.f_lineno))
        return self._trace


def is_finding(node):
    """Findings are sentences; helpers yield tuples."""
    return isinstance(node, ast.Yield) and isinstance(node.value, (ast.Constant, ast.JoinedStr))


def node_lines(node):
    return range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", None) or 0) + 1)
