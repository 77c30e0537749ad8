"""Formulas on frames keep to what means the same in every engine; what is silently wrong in one of them is caught.

Each rule is shown three ways: the project keeps it, a line that breaks it is caught, a line that says the same rightly
is not. What happens in the engines is shown in `tests/verify_analytics/engines`.
"""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOMS = ("verify_analytics/model", "verify_analytics/metrics", "verify_analytics/load", "verify_analytics/report")
REDUCTIONS = {"min", "max", "sum", "mean", "count", "any", "all", "len"}
ON_FRAMES = {"from_native", "to_native", "concat", "maybe_reset_index"}
MADE_OF_PARTS = (ast.BinOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.Dict, ast.DictComp, ast.List, ast.Tuple)


class Formulas:
    """One function, or what stands outside of all: which of its expressions are formulas, and what its names mean."""

    def __init__(self, tree: ast.AST, makers: frozenset[str] = frozenset()) -> None:
        self.tree = tree
        self.makers = makers | makers_in(tree)
        self.bound: dict[str, ast.expr] = {}
        self.parameters: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(target, node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._bind(node.target, node.value)
            elif isinstance(node, ast.arg) and node.annotation is not None and "Expr" in ast.unparse(node.annotation):
                self.parameters.add(node.arg)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.bound[target.id] = value
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, its in zip(target.elts, value.elts, strict=False):
                self._bind(one, its)

    def is_formula(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Say whether this is made of columns: by `nw.col` and the like, by a maker of formulas, by a name that is."""
        if isinstance(node, ast.Name):
            if node.id in self.bound and node.id not in seen:
                return self.is_formula(self.bound[node.id], seen | {node.id})
            return node.id in self.parameters
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "nw":
                return node.func.attr not in ON_FRAMES
            return ast.unparse(node.func) in self.makers or self.is_formula(node.func, seen)
        if isinstance(node, ast.Attribute | ast.Subscript):
            return self.is_formula(node.value, seen)
        return isinstance(node, MADE_OF_PARTS) and any(self.is_formula(n, seen) for n in ast.iter_child_nodes(node))

    def is_filled(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Say whether a value cannot be null: a constant, filled, or a name for such."""
        if isinstance(node, ast.Name) and node.id in self.bound and node.id not in seen:
            return self.is_filled(self.bound[node.id], seen | {node.id})
        return not self.is_formula(node) or ".fill_null(" in ast.unparse(node)

    def is_certain(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Say whether a condition is true or false and never null, as far as its text tells."""
        if isinstance(node, ast.Name) and node.id in self.bound and node.id not in seen:
            return self.is_certain(self.bound[node.id], seen | {node.id})
        if isinstance(node, ast.BinOp):
            return self.is_certain(node.left, seen) and self.is_certain(node.right, seen)
        if isinstance(node, ast.UnaryOp):
            return self.is_certain(node.operand, seen)
        if isinstance(node, ast.Compare):
            return all(self.is_filled(side) for side in (node.left, *node.comparators))
        if isinstance(node, ast.Call) and called(node) == "is_in":
            return self.is_filled(node.func.value)  # type: ignore[attr-defined]
        return True


def makers_in(tree: ast.AST) -> frozenset[str]:
    """Name the functions that say they return a formula."""
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns is not None and "Expr" in ast.unparse(node.returns)
    )


def scopes(text: str, makers: frozenset[str] = frozenset()) -> Iterator[Formulas]:
    """Take a file apart: each outermost function by itself, and everything else."""
    tree = ast.parse(text)
    functions = [node for node in ast.iter_child_nodes(tree) if isinstance(node, ast.FunctionDef)]
    outside = ast.Module([node for node in tree.body if node not in functions], [])
    return (Formulas(scope, makers | makers_in(tree)) for scope in (outside, *functions))


def called(node: ast.AST) -> str:
    """Name the method that is called, if one is."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def calls(file: Formulas, *names: str) -> Iterator[ast.Call]:
    """Find calls of these methods on formulas."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and called(node) in names and file.is_formula(node.func.value):  # type: ignore[attr-defined]
            yield node


def comparisons(file: Formulas) -> Iterator[ast.Compare]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Compare) and file.is_formula(node):
            yield node


def divided(file: Formulas, kind: type[ast.operator]) -> Iterator[ast.BinOp]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, kind):
            yield node


def anything_but_a_bare_column_in_agg(file: Formulas) -> Iterator[ast.AST]:
    """`when` and `filter` inside agg are ignored by pandas: mask a column before."""
    for node in ast.walk(file.tree):
        if called(node) != "agg" or any(isinstance(a, ast.Dict | ast.Constant) for a in node.args):  # type: ignore[attr-defined]
            continue
        given = [*node.args, *(keyword.value for keyword in node.keywords)]  # type: ignore[attr-defined]
        yield from (argument for argument in given if not is_bare(argument))


def is_bare(node: ast.expr) -> bool:
    """Say whether this is `nw.len()` or `nw.col(x).min()` and the like, renamed or not, one or many."""
    if isinstance(node, ast.Starred):
        return is_bare(node.value)
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        return is_bare(node.elt)
    if called(node) == "alias":
        return is_bare(node.func.value)  # type: ignore[attr-defined]
    if called(node) not in REDUCTIONS or node.args or node.keywords:  # type: ignore[attr-defined]
        return False
    base = node.func.value  # type: ignore[attr-defined]
    return ast.unparse(node) == "nw.len()" or (ast.unparse(base).startswith("nw.col(") and called(base) == "col")


def unequal_with_nulls(file: Formulas) -> Iterator[ast.AST]:
    """Nulls: null != 'a' is true in pandas and null elsewhere: fill nulls first."""
    for node in comparisons(file):
        filled = all(file.is_filled(side) for side in (node.left, *node.comparators))
        if any(isinstance(op, ast.NotEq) for op in node.ops) and not filled:
            yield node


def negation_with_nulls(file: Formulas) -> Iterator[ast.AST]:
    """Nulls: ~(null in …) is true in pandas and null elsewhere: fill nulls first."""
    for node in ast.walk(file.tree):
        is_negation = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert) and file.is_formula(node)
        if is_negation and not file.is_certain(node.operand):  # type: ignore[attr-defined]
            yield node


def sum_without_cast(file: Formulas) -> Iterator[ast.AST]:
    """Sums of integers leave DuckDB as decimals or floats: cast them in the same function."""
    if ".cast(nw." not in ast.unparse(file.tree):
        yield from calls(file, "sum")


def distinct_counts(file: Formulas) -> Iterator[ast.AST]:
    """n_unique counts null as a value."""
    yield from calls(file, "n_unique")


def one_of_many(file: Formulas) -> Iterator[ast.AST]:
    """`first` and `last` need an order that not every engine takes, and filtered columns are lost."""
    yield from calls(file, "first", "last", "arg_min", "arg_max")


def calendar_in_the_engine(file: Formulas) -> Iterator[ast.AST]:
    """Truncated and local times depend on the session's zone, or fail: integers // a length."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr == "dt" and file.is_formula(node.value):
            yield node


def compared_moments(file: Formulas) -> Iterator[ast.AST]:
    """A naive datetime beside a moment is silently read in the session's zone: compare `…_us`."""
    for node in comparisons(file):
        for part in ast.walk(node):
            is_column = called(part) == "col" and part.args and isinstance(part.args[0], ast.Constant)  # type: ignore[attr-defined]
            if is_column and str(part.args[0].value).endswith(("_at", "as_of", "minute", "day")):  # type: ignore[attr-defined]
                yield node


def division_by_a_column(file: Formulas) -> Iterator[ast.AST]:
    """Zero: n / 0 is infinite in an engine, and no evidence is not infinite: divide in numpy."""
    yield from (node for node in divided(file, ast.Div) if file.is_formula(node.right))


def remainders(file: Formulas) -> Iterator[ast.AST]:
    """% of a column fails in pandas, and signs differ elsewhere: x - x // n * n."""
    yield from (node for node in divided(file, ast.Mod) if file.is_formula(node.left) or file.is_formula(node.right))


def quantiles_of_their_own(file: Formulas) -> Iterator[ast.AST]:
    """Only linear quantiles exist everywhere."""
    yield from (node for node in calls(file, "quantile") if "interpolation='linear'" not in ast.unparse(node))


def ordered_by_itself(file: Formulas) -> Iterator[ast.AST]:
    """A column in the order of itself alone is taken as its rows lie in pandas: order by another, or add ones up."""
    for node in calls(file, "over"):
        order = next((word.value for word in node.keywords if word.arg == "order_by"), None)
        if isinstance(order, ast.List) and len(order.elts) == 1:
            order = order.elts[0]
        if isinstance(order, ast.Constant) and f"col({order.value!r})." in ast.unparse(node.func):
            yield node


Rule = Callable[[Formulas], Iterator[ast.AST]]
# Rule, a line that breaks it, a line that means the same and does not.
SHOWN: list[tuple[Rule, str, str]] = [
    (
        anything_but_a_bare_column_in_agg,
        "f.group_by('k').agg(nw.when(nw.col('a') > 0).then(nw.col('b')).min())",
        "f.with_columns(_b=nw.when(nw.col('a') > 0).then(nw.col('b'))).group_by('k').agg(nw.col('_b').min(), nw.len())",
    ),
    (
        anything_but_a_bare_column_in_agg,
        "x = nw.col('b').filter(nw.col('a') > 0).min()\nf.group_by('k').agg(x)",
        "f.group_by('k').agg(*(nw.col(n).max().alias(n + '_max') for n in names))",
    ),
    (anything_but_a_bare_column_in_agg, "f.group_by('k').agg(b=(nw.col('a') + 1).min())", "g.agg(b=nw.col('a').min())"),
    (unequal_with_nulls, "f.filter(nw.col('a') != 'x')", "f.filter(nw.col('a').fill_null('') != 'x')"),
    (
        unequal_with_nulls,
        "def g():\n    a, b = nw.col('a'), nw.col('b')\n    return a != b",
        "def g():\n    a, b = nw.col('a').fill_null(''), nw.col('b').fill_null('')\n    return a != b",
    ),
    (unequal_with_nulls, "def g(a: nw.Expr):\n    return a != 1", "def g(a: int):\n    return a != 1"),
    (negation_with_nulls, "f.filter(~nw.col('a').is_in(['x']))", "f.filter(~nw.col('a').fill_null('').is_in(['x']))"),
    (
        negation_with_nulls,
        "late = nw.col('a') > 1\nf.filter(~(late & nw.col('b')))",
        "late = is_true(nw.col('a') > 1)\nf.filter(~(late & nw.col('b')) | ~nw.col('a').is_null())",
    ),
    (
        sum_without_cast,
        "def g(f):\n    return f.group_by('k').agg(nw.col('a').sum())",
        "def g(f):\n    return f.group_by('k').agg(nw.col('a').sum()).with_columns(nw.col('a').cast(nw.Int64))",
    ),
    (distinct_counts, "f.group_by('k').agg(nw.col('a').n_unique())", "f.group_by('k', 'a').agg(nw.len())"),
    (one_of_many, "f.group_by('k').agg(nw.col('a').first(order_by='t'))", "f.group_by('k').agg(nw.col('a').max())"),
    (calendar_in_the_engine, "nw.col('t').dt.truncate('1d')", "nw.col('t_us') // 86_400_000_000"),
    (calendar_in_the_engine, "t = nw.col('t')\nt.dt.convert_time_zone('Asia/Tokyo')", "frame['t'].dt.date"),
    (compared_moments, "f.filter(nw.col('received_at') < as_of)", "f.filter(nw.col('received_us') < as_of_us)"),
    (division_by_a_column, "f.with_columns(rate=nw.col('count') / nw.col('n'))", "counts / n"),
    (division_by_a_column, "n = nw.col('n')\nf.with_columns(rate=nw.lit(1) / n)", "nw.col('gap_us') / SECOND_US"),
    (remainders, "nw.col('us') % 60", "nw.col('us') - nw.col('us') // 60 * 60"),
    (
        ordered_by_itself,
        "f.with_columns(r=nw.col('t').cum_count().over('g', order_by='t'))",
        "f.with_columns(r=nw.col('one').cum_sum().over('g', order_by='t'))",
    ),
    (
        ordered_by_itself,
        "nw.col('t').shift(1).over('g', order_by=['t'])",
        "nw.col('a').shift(1).over('g', order_by=['t'])",
    ),
    (quantiles_of_their_own, "nw.col('a').quantile(0.5, interpolation='nearest')", "np.quantile(a, 0.5)"),
]


def files(root: Path) -> list[Path]:
    return sorted(path for room in ROOMS for path in (root / room).rglob("*.py"))


@cache
def project(root: Path) -> dict[Path, list[Formulas]]:
    """Read every file that uses Narwhals, once for all rules."""
    texts = {path: path.read_text() for path in files(root)}
    makers = frozenset(name for text in texts.values() for name in makers_in(ast.parse(text)))
    return {path: list(scopes(text, makers)) for path, text in texts.items() if "import narwhals" in text}


RULES = {str(rule.__doc__).rstrip("."): rule for rule, _, _ in SHOWN}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_project_keeps_the_rule(rule: Rule, root: Path) -> None:
    read = project(root)
    found = [
        f"{path.relative_to(root)}:{node.lineno} {ast.unparse(node)[:80]}: {rule.__doc__}"  # type: ignore[attr-defined]
        for path, scopes_of_it in read.items()
        for scope in scopes_of_it
        for node in rule(scope)
    ]
    assert len(read) > 10
    assert found == []


@pytest.mark.parametrize(("rule", "breach", "right"), SHOWN, ids=[breach for _, breach, _ in SHOWN])
def test_a_line_that_breaks_the_rule_is_caught_and_its_better_is_not(rule: Rule, breach: str, right: str) -> None:
    assert any(list(rule(scope)) for scope in scopes(breach))
    assert not any(list(rule(scope)) for scope in scopes(right, frozenset({"is_true"})))
