"""A collector stays on one core with all its threads, unless somebody who knows better has chosen or forbids it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.collector.conftest import CollectorProcess, Provider, clean_environment
from tests.collector.faults.service import free_port, served_on

Make = Callable[..., CollectorProcess]


def cores_of(process: int) -> set[frozenset[int]]:
    """Give the sets of cores on which the threads of a process may run."""
    return {frozenset(os.sched_getaffinity(int(task.name))) for task in Path(f"/proc/{process}/task").iterdir()}


def test_all_threads_stay_on_one_core_and_neighbouring_ports_take_different_ones(
    make_collector: Make,
) -> None:
    ours = os.sched_getaffinity(0)
    # With a port to be watched, which has threads of its own from early on.
    running = make_collector(COLLECTOR_METRICS_PORT=str(free_port())).start()
    if len(ours) < 2 or len(ours) < (os.cpu_count() or 1):
        # Whoever runs the tests has chosen cores, and is left to know better.
        assert cores_of(running.process.pid) == {frozenset(ours)}
        return
    running.post(Provider.fields())
    threads = cores_of(running.process.pid)
    assert len(threads) == 1
    assert len(next(iter(threads))) == 1
    first, second = (chosen(f"serve.settle_on_one_core({port})") for port in (8000, 8001))
    assert len(first) == len(second) == 1
    assert first != second


def test_behind_a_socket_of_systemd_its_port_decides_and_not_the_one_that_would_be_opened(make_collector: Make) -> None:
    ours = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        given = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(20)]
        # What nobody set is 8080, for every collector of this machine.
        other = [one for one in given if (one.getsockname()[1] - 8080) % len(ours)]
        chosen_for = (other or given)[0]
        collector = make_collector(COLLECTOR_PORT="8080")
        with served_on(collector, chosen_for) as process:
            assert collector.post(Provider.fields()).status == 200
            if len(ours) == os.cpu_count():
                assert cores_of(process.pid) == {frozenset({ours[collector.port % len(ours)]})}


def test_who_chose_cores_for_the_collector_is_left_to_know_better() -> None:
    given = os.sched_getaffinity(0)
    assert chosen(f"os.cpu_count = lambda: {len(given) + 1}; serve.settle_on_one_core(0)") == given


def test_who_forbids_the_choice_of_a_core_is_served_on_all() -> None:
    forbid = "def no(*_): raise PermissionError\nos.sched_setaffinity = no\nserve.settle_on_one_core(1)"
    assert chosen(forbid) == os.sched_getaffinity(0)


def chosen(code: str) -> set[int]:
    """Run this in a process of its own, and give the cores it may use afterwards."""
    words = f"import os\nfrom collector import serve\n{code}\nprint(sorted(os.sched_getaffinity(0)))"
    done = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60, env=clean_environment()
    )
    return set(json.loads(done.stdout))
