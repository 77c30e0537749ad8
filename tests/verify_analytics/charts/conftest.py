"""Frames as the metrics give them, small enough to check a drawing by eye."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest

AS_OF = pd.Timestamp("2026-10-29T00:00Z").as_unit("us")
Build = Callable[..., pd.DataFrame]
CONTEXT = {
    "interval": "wilson",
    "design_effect": float("nan"),
    "immature": 0,
    "unobserved": 0,
    "unknown": 0,
    "as_of": AS_OF,
    "patience_seconds": 900.0,
}


def with_context(rows: list[dict[str, Any]], columns: list[str], more: dict[str, Any] | None = None) -> pd.DataFrame:
    """Make a frame whose columns stand in the metric's order, also without rows."""
    context = {**CONTEXT, **(more or {})}
    order = [*columns, *(name for name in context if name not in columns)]
    frame = pd.DataFrame([{**context, **row} for row in rows], columns=order)
    return frame.astype({"as_of": "datetime64[us, UTC]"})


@pytest.fixture(scope="session")
def delivery() -> Build:
    """Build a delivery frame: per group its values, n, confirmed and accepted; intervals are 0.05 to either side."""

    def build(by: list[str], groups: list[tuple[Any, ...]], **more: Any) -> pd.DataFrame:
        rows = []
        for *values, n, confirmed, accepted in groups:
            for measure, rate in (("confirmed", confirmed), ("accepted", accepted), ("coverage", 0.5)):
                rows.append(
                    {
                        **dict(zip(by, values, strict=True)),
                        "measure": measure,
                        "count": round(n * rate) if n else 0,
                        "n": n,
                        "rate": rate if n else float("nan"),
                        "low": rate - 0.05 if n else float("nan"),
                        "high": min(rate + 0.05, 1.0) if n else float("nan"),
                    }
                )
        return with_context(rows, [*by, "measure", "count", "n", "rate", "low", "high"], more)

    return build


@pytest.fixture(scope="session")
def errors() -> Build:
    """Build an error frame: per code its split values, channel, code, count and n."""

    def build(by: list[str], codes: list[tuple[Any, ...]], **more: Any) -> pd.DataFrame:
        rows = []
        for *values, channel, code, count, n in codes:
            for measure, base in (("share_of_unsuccessful", n), ("share_of_all", 10 * n)):
                rows.append(
                    {
                        **dict(zip(by, values, strict=True)),
                        "channel": channel,
                        "code": code,
                        "name": f"Name of {code}",
                        "meaning": "",
                        "category": "carrier",
                        "retryable": "yes",
                        "measure": measure,
                        "count": count,
                        "n": base,
                        "rate": count / base,
                        "low": count / base * 0.9,
                        "high": count / base * 1.1,
                    }
                )
        own = ["code", "name", "meaning", "category", "retryable", "measure", "count", "n", "rate", "low", "high"]
        return with_context(rows, [*by, "channel", *own], more)

    return build


@pytest.fixture(scope="session")
def speed() -> Build:
    """Build a time frame: per group its values, source, n and the height of the curve at 20 s and 300 s."""

    def build(by: list[str], groups: list[tuple[Any, ...]], **more: Any) -> pd.DataFrame:
        rows = []
        for *values, source, n, early, late in groups:
            group = {**dict(zip(by, values, strict=True)), "source": source, "n": n}
            if not n:
                rows.append({**group, "measure": "not_observable", "not_observable": 7})
                continue
            rows += [
                {
                    **group,
                    "measure": f"within_{at}s",
                    "seconds": float(at),
                    "rate": 0.0 if at < 20 else early,
                    "at_risk": float(n if at < 20 else round(n * (1 - early))),
                }
                for at in (10, 30, 60, 120)
            ]
            rows += [
                {**group, "measure": "p50", "seconds": 20.0 if early >= 0.5 else float("nan"), "rate": 0.5},
                {**group, "measure": "p90", "seconds": float("nan"), "rate": 0.9},
                {**group, "measure": "restricted_mean", "seconds": 100.0, "at_risk": float(round(n * (1 - late)))},
                *({**group, "measure": "curve", "seconds": at, "rate": rate} for at, rate in curve(early, late)),
            ]
        columns = [*by, "source", "measure", "seconds", "rate", "low", "high", "n", "at_risk"]
        beside = {"not_observable": 0, "clock_faults": 0, "censored": 0, "horizon_seconds": 600.0}
        return with_context(rows, columns, {"interval": "none", **beside, "window_seconds": 600.0, **more})

    def curve(early: float, late: float) -> Iterator[tuple[float, float]]:
        yield from ((0.0, 0.0), (20.0, early), (300.0, late), (600.0, late))

    return build


@pytest.fixture(scope="session")
def asking() -> Build:
    """Build a retry frame: per row its split values, source, from, to, measure, count and n."""

    def build(by: list[str], rows: list[tuple[Any, ...]], **more: Any) -> pd.DataFrame:
        made = []
        for *values, source, from_channel, to_channel, measure, count, n in rows:
            is_rate = not measure.startswith(("attempts_per", "gap_"))
            made.append(
                {
                    **dict(zip(by, values, strict=True)),
                    "source": source,
                    "from_channel": from_channel,
                    "to_channel": to_channel,
                    "measure": measure,
                    "count": count,
                    "n": n,
                    "rate": count / n if is_rate and n else float("nan"),
                    "mean": count / n if measure == "attempts_per_session" else float("nan"),
                    "seconds": float(count) if measure.startswith("gap_") else float("nan"),
                    "low": count / n * 0.9 if is_rate and n else float("nan"),
                    "high": min(1.0, count / n * 1.1) if is_rate and n else float("nan"),
                }
            )
        own = ["measure", "count", "n", "rate", "mean", "seconds", "low", "high"]
        beside = {"not_observable": 0, "incomplete": 0, "window_seconds": 600.0}
        return with_context(made, [*by, "source", "from_channel", "to_channel", *own], {**beside, **more})

    return build


@pytest.fixture(autouse=True)
def a_users_own_style(tmp_path: Path) -> Iterator[None]:
    """Draw under odd settings of a user's own, which must neither show in a chart nor be changed by it."""
    with mpl.rc_context({"font.size": 31, "axes.grid": True, "svg.fonttype": "path", "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        yield
        assert dict(mpl.rcParams) == before
