"""How fast the curve of arrivals is: the time from sessions to the share by each moment, its variance and its band.

Waits are rounded up to hundredths of a second, as the metrics do, so that many sessions share a moment (ties); a part
is censored, a part ends otherwise. Our function takes the rows one by one, and grouped with their numbers as weights;
scikit-survival takes the rows, and holds tables of moments by moments for the variance, so it gets fewer sessions.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench._servers import end_politely, machine
from verify_analytics import stats

Row = NDArray[np.float64]
Kinds = NDArray[np.int64]


def sessions(count: int, seed: int = 0) -> tuple[Row, Kinds]:
    """Make waits with ties: most arrive soon, some end otherwise at ten minutes, some are not seen so far."""
    random = np.random.default_rng(seed)
    arrives = random.random(count) < 0.85
    wait = np.where(arrives, random.lognormal(3, 1, count), 600.0)
    seen = random.uniform(0, 3000, count)
    kind = np.where(wait <= seen, np.where(arrives & (wait < 600), 1, 2), 0)
    return np.ceil(np.minimum(np.minimum(wait, seen), 600) * 100) / 100, kind


def grouped(wait: Row, kind: Kinds) -> tuple[Row, Kinds, Row]:
    """Count the sessions of each wait and kind, as the engine does."""
    code, counts = np.unique(np.round(wait * 100).astype(np.int64) * 3 + kind, return_counts=True)
    return code // 3 / 100, code % 3, counts.astype(float)


def ours(wait: Row, kind: Kinds, weights: Row | None = None) -> float:
    """Make the curve with its band and give the share by a minute."""
    curve = stats.cumulative_incidence(wait, kind, weights=weights)
    stats.incidence_band(curve)
    return float(stats.incidence_at(curve, 60)[0])


def theirs(wait: Row, kind: Kinds) -> float:
    """Make the same with scikit-survival."""
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    # It divides by nobody where the last ones end.
    with np.errstate(divide="ignore", invalid="ignore"):
        time, incidence, _ = cumulative_incidence_competing_risks(
            kind, wait, conf_type="log-log", var_type="Dinse_Approx"
        )
    return float(incidence[1][np.searchsorted(time, 60, side="right") - 1])


def seconds(work: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Give the median time of some rounds, and what came out."""
    spent, found = [], 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        found = work()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=2_000, help="as many as scikit-survival gets")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    end_politely()
    print(f"{machine()}; point estimate, variance and band; median of {given.rounds} rounds")
    print(f"{'':<44}{'sessions':>12}{'moments':>10}{'seconds':>10}{'by 60 s':>9}")
    took: dict[str, float] = {}

    def line(name: str, count: int, moments: int, work: Callable[[], float]) -> None:
        took[name], found = seconds(work, given.rounds)
        print(f"{name:<44}{count:>12,}{moments:>10,}{took[name]:>10.4f}{found:>9.4f}", flush=True)

    for count, size in ((given.sessions, "all"), (given.few, "few")):
        wait, kind = sessions(count)
        groups = grouped(wait, kind)
        moments = len(np.unique(wait))
        line(f"ours, grouped by weights, {size}", count, moments, lambda groups=groups: ours(*groups))  # type: ignore[misc]
        line(f"ours, rows, {size}", count, moments, lambda wait=wait, kind=kind: ours(wait, kind))  # type: ignore[misc]
    if importlib.util.find_spec("sksurv") is None:
        print("scikit-survival is not installed here, and is left out")
    else:
        line("scikit-survival, rows, few", given.few, moments, lambda: theirs(wait, kind))
        ratio = took["scikit-survival, rows, few"] / took["ours, rows, few"]
        print(f"scikit-survival takes {ratio:,.0f} times as long as our rows for {given.few:,} sessions")
    ratio = took["ours, rows, all"] / took["ours, grouped by weights, all"]
    print(f"rows take {ratio:.1f} times as long as groups for {given.sessions:,} sessions")


if __name__ == "__main__":
    main()
