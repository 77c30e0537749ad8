"""No secret is compared in a way whose time tells how much of it was right.

Not by the clock, which proves nothing on a shared machine, but by the syntax tree of the modules that judge proofs;
that every token, URL and value is tried whatever was found before is counted in `test_signature.py`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

JUDGES = ("signature.py", "verifications.py")
# What these modules call a secret, and what they make under one or are given to hold against it.
SECRET_NAMES = frozenset({"token", "tokens", "main_tokens", "secret", "secrets", "given", "claimed", "value"})
SECRET_CALLS = frozenset({"sign", "new", "digest", "hexdigest"})


def told_by_time(source: str) -> list[str]:
    """Give every comparison of a secret, or of what was made under one, that is not `compare_digest`."""
    tree = ast.parse(source)
    found = [compared for node in ast.walk(tree) for compared in _compared(node) if _is_secret(compared)]
    return sorted({f"{node.lineno}: {ast.unparse(node)}" for node in found})


def _compared(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others) if not all(
            isinstance(other, ast.Constant) and other.value is None for other in others
        ):
            if any(isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Lt | ast.Gt) for op in ops):
                yield left
                yield from others
        case ast.Call(func=ast.Attribute(value=text, attr="startswith" | "endswith" | "find" | "index" | "count")):
            yield text
            yield from node.args
        case ast.Match(subject=subject):
            yield subject


def _is_secret(node: ast.expr) -> bool:
    """Say whether an expression is a secret or made of one; how long it is, is none."""
    match node:
        case ast.Call(func=ast.Name(id="len")):
            return False
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in SECRET_NAMES:
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SECRET_CALLS:
            return True
    return any(_is_secret(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def test_no_judge_compares_a_secret_but_by_compare_digest(root: Path) -> None:
    sources = {path.name: path.read_text() for path in (root / "collector").rglob("*.py")}
    judges = {name for name, source in sources.items() if "compare_digest(" in source}
    assert judges >= {*JUDGES}
    assert {name: told_by_time(sources[name]) for name in judges} == {name: [] for name in judges}


@pytest.mark.parametrize(
    "source",
    [
        "found = sign(token, message) == value",
        "found = value != sign(token, message)",
        "found = value in {sign(token, m) for m in messages}",
        "found = value in given",
        "found = hmac.new(secret, body, hashlib.sha256).hexdigest() == claimed",
        "found = (hmac.new(secret, body, hashlib.sha256).digest()).hex() == x",
        "found = b64encode(mac.digest()) == x",
        "found = x == tokens[0]",
        "found = claimed.startswith(x)",
        "found = x.endswith(claimed[:4])",
        "match value:\n    case 'x': pass",
        "found = settings.secret == x",
    ],
)
def test_a_comparison_that_time_would_tell_is_found(source: str) -> None:
    assert told_by_time(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "found |= hmac.compare_digest(wanted, value)",
        "if not token: pass",
        "if len(given) == 1: pass",
        "if token is None: pass",
        "if name == 'x-signature': pass",
    ],
)
def test_what_tells_nothing_is_not(source: str) -> None:
    assert told_by_time(source) == []
