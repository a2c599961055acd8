from __future__ import annotations

import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_cases import HandClock, unsynced

from upres.errors import RateLimited
from upres.jobs.table import JobTable
from upres.service.settings import ServiceSettings
from upres.web.limits import ClientLimits, DatabaseCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from apiflask import APIFlask

MEGA = 1_000_000
MINUTE_S = 60


@pytest.fixture
def clock() -> HandClock:
    return HandClock(now=MINUTE_S * 1e7)  # a window begins


@pytest.fixture
def table(tmp_path: Path, clock: HandClock) -> Iterator[JobTable]:
    made = JobTable(f"sqlite:///{tmp_path / 'jobs.db'}", clock=clock)
    unsynced(made)
    made.create()
    yield made
    made.close()


def limits_on(table: JobTable, *, requests: int = 5, redis: str | None = None) -> ClientLimits:
    given_ = ServiceSettings(
        requests_per_minute=requests,
        output_megapixels_per_minute=400,
        rate_limit_url=redis,  # type: ignore[arg-type] # as the environment gives it
    )
    return ClientLimits(given_, table.database)


def passes(charge: Callable[..., None], *what: Any) -> bool:
    try:
        charge(*what)
    except RateLimited:
        return False
    return True


def test_so_many_and_no_more(table: JobTable) -> None:
    limits = limits_on(table)
    assert [passes(limits.charge_request, "a") for _ in range(7)] == [True] * 5 + [False] * 2


def test_clients_do_not_pay_for_each_other(table: JobTable) -> None:
    limits = limits_on(table, requests=1)
    limits.charge_request("a")
    limits.charge_request("b")
    with pytest.raises(RateLimited, match="1 requests a minute"):
        limits.charge_request("a")


def test_pixels_and_requests_are_counted_apart(table: JobTable) -> None:
    limits = limits_on(table, requests=1)
    limits.charge_request("a")
    limits.charge_pixels("a", 400 * MEGA)
    with pytest.raises(RateLimited, match="400 megapixels a minute"):
        limits.charge_pixels("a", 1)


def test_what_is_refused_is_not_counted(table: JobTable) -> None:
    """Asking for too much does not take away what there is."""
    limits = limits_on(table)
    limits.charge_pixels("a", 300 * MEGA)
    assert not passes(limits.charge_pixels, "a", 200 * MEGA)
    limits.charge_pixels("a", 100 * MEGA)


def test_what_is_given_back_was_not_counted(table: JobTable, clock: HandClock) -> None:
    """And leaves no more than there was, also in a later window."""
    limits = limits_on(table, requests=2)
    for _ in range(20):
        assert passes(limits.charge_request, "a")
        limits.give_back_request("a")
    assert [passes(limits.charge_request, "a") for _ in range(3)] == [True, True, False]
    clock.now += MINUTE_S
    limits.give_back_request("a")  # of one that was counted a minute ago
    assert passes(limits.charge_request, "a")
    assert passes(limits.charge_request, "b")


def test_two_processes_count_together(table: JobTable) -> None:
    first, second = limits_on(table), limits_on(table)
    assert [passes(one.charge_request, "a") for one in (first, second) * 4].count(True) == 5


def test_threads_count_together(tmp_path: Path) -> None:
    """None is let in twice on one count."""
    table = JobTable(f"sqlite:///{tmp_path / 'jobs.db'}")
    unsynced(table)
    table.create()
    limits = limits_on(table, requests=20)
    let_in: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: let_in.extend(passes(limits.charge_request, "a") for _ in range(10))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table.close()
    assert (len(let_in), let_in.count(True)) == (60, 20)


def test_after_two_minutes_nothing_is_left(table: JobTable, clock: HandClock) -> None:
    """Neither of the limit nor in the table."""
    limits = limits_on(table, requests=1)
    limits.charge_request("a")
    clock.now += 2 * MINUTE_S
    limits.charge_request("b")
    with table.engine.begin() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM rate_counts").scalar_one()
    assert found == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    before=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 400)), max_size=8),
    cost=st.integers(1, 400),
)
def test_who_waits_as_told_is_let_in(
    table: JobTable, clock: HandClock, before: list[tuple[float, int]], cost: int
) -> None:
    """And who comes two seconds earlier is not: the time is not just any that is long enough."""
    limits = limits_on(table)
    DatabaseCounts(table.database).reset()
    for pause_s, pixels in before:
        clock.now += pause_s
        passes(limits.charge_pixels, "a", pixels * MEGA)
    try:
        limits.charge_pixels("a", cost * MEGA)
    except RateLimited as error:
        wait_s = error.retry_after_s
    else:
        return
    assert 1 <= wait_s <= 2 * MINUTE_S
    if wait_s > 2:
        clock.now += wait_s - 2
        assert not passes(limits.charge_pixels, "a", cost * MEGA)
        clock.now -= wait_s - 2
    clock.now += wait_s
    limits.charge_pixels("a", cost * MEGA)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(pauses=st.lists(st.floats(0, 5), min_size=50, max_size=150))
def test_in_no_minute_much_more_than_the_limit(
    table: JobTable, clock: HandClock, pauses: list[float]
) -> None:
    """The weighted pair of windows is exact for an even stream and at most double otherwise."""
    limits = limits_on(table, requests=10)
    DatabaseCounts(table.database).reset()
    let_in = []
    for pause_s in pauses:
        clock.now += pause_s
        if passes(limits.charge_request, "a"):
            let_in.append(clock.now)
    busiest = max(sum(0 <= later - one < MINUTE_S for later in let_in) for one in let_in)
    assert busiest <= 20
    assert len(let_in) >= min(10, len(pauses))


def test_an_answer_says_when_to_come_again(make_app: Callable[..., APIFlask]) -> None:
    http = make_app(requests_per_minute=2).test_client()
    answers = [http.post("/api/v1/jobs", data=b"no picture") for _ in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert answers[2].get_json()["code"] == "rate-limited"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 2 * MINUTE_S


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Redis of our own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed (Debian: apt-get install redis-server)")
    pytest.importorskip("redis", reason="the client redis is not installed")
    socket = tmp_path_factory.mktemp("redis") / "socket"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 10
    while not socket.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"redis+unix://{socket}"
    server.kill()
    server.wait()


def test_redis_counts_for_several_databases(redis: str, tmp_path: Path) -> None:
    """Services that share no job table share the counts."""
    let_in = 0
    for name in ("one", "two"):
        table = JobTable(f"sqlite:///{tmp_path / name}")
        table.create()
        limits = limits_on(table, requests=5, redis=redis)
        let_in += sum(passes(limits.charge_request, "a") for _ in range(4))
        assert passes(limits.charge_pixels, f"of {limits}", 200 * MEGA)
        table.close()
    assert let_in == 5


def test_without_its_redis_a_server_counts_for_itself(table: JobTable) -> None:
    """Rather than letting everybody in, or nobody."""
    limits = limits_on(table, requests=3, redis="redis+unix:///nowhere/at/all")
    assert [passes(limits.charge_request, "a") for _ in range(4)] == [True] * 3 + [False]
