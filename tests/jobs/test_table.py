"""The contract of the job table, on every database: accepting, ordering, cancelling, keeping."""

from __future__ import annotations

import pytest
from job_cases import NO_LIMIT, HandClock, blob, claim, finish, request, submit

from upres.errors import ClientQueueFull, IdempotencyConflict, JobMissing, QueueFull
from upres.jobs.job import BATCH_DELAY_S, Job, JobOptions, Priority, State
from upres.jobs.rows import moment
from upres.jobs.table import JobTable

DAY_S = 24 * 3600.0


class TestSubmit:
    """Accepting jobs."""

    def test_a_job_comes_back_as_it_went_in(self, table: JobTable, clock: HandClock) -> None:
        """Every field, also through another connection."""
        new = request(
            "content",
            options=JobOptions(width=500, model="lite", tta=True, format="avif", soften=0.25),
            cost_px=3_000_000_000,
            owner="key:7",
            priority=Priority.BATCH,
            idempotency_key="schlüssel 1",
            request_id="r-1",
            expires_after_s=60.5,
            source_name="假期 <b>.png",
        )
        job, created = table.submit(new, queued_px_limit=NO_LIMIT)
        assert created
        assert table.get(job.id) == job
        assert {name: getattr(job, name) for name in vars(new)} == vars(new)
        assert (job.state, job.attempts, job.created) == (State.QUEUED, 0, moment(clock.now))
        assert len(job.id) == 22
        assert (job.result, job.started, job.finished, job.error_code) == (None, None, None, None)

    def test_ids_are_not_guessed(self, table: JobTable) -> None:
        """No two are alike, and an unknown one is told."""
        ids = {submit(table, str(number)).id for number in range(20)}
        assert len(ids) == 20
        with pytest.raises(JobMissing, match="nothing"):
            table.get("nothing")

    def test_names_that_no_database_takes(self, table: JobTable) -> None:
        """Bytes of a foreign file system and zeros do not lose a job."""
        job = submit(table, source_name="a\udcff\0b" + "x" * 5000, owner="o\0", request_id="\0")
        assert table.get(job.id).source_name == "a?b" + "x" * 996
        assert table.get(job.id).owner == "o"

    def test_a_request_sent_twice_is_one_job(self, table: JobTable) -> None:
        """By its key, for its owner only, in whatever state the job is."""
        job = submit(table, idempotency_key="k")
        again = request(idempotency_key="k")
        for act in (lambda: None, lambda: claim(table), lambda: table.request_cancel(job.id)):
            act()
            assert table.submit(again, queued_px_limit=0) == (table.get(job.id), False)
        other = submit(table, idempotency_key="k", owner="somebody else")
        assert other.id != job.id
        with pytest.raises(IdempotencyConflict, match="'k'"):
            submit(table, "another picture", idempotency_key="k")

    def test_a_full_queue_refuses(self, table: JobTable) -> None:
        """The last that fits is taken; what is refused leaves nothing behind."""
        submit(table, "a", cost_px=600)
        table.submit(request("b", cost_px=400), queued_px_limit=1000)
        with pytest.raises(QueueFull, match="1000 pixels are waiting") as refused:
            table.submit(request("c", cost_px=1), queued_px_limit=1000)
        assert 1 <= refused.value.retry_after_s <= 3600
        assert table.figures().jobs[State.QUEUED] == 2
        claim(table)
        table.submit(request("c", cost_px=1), queued_px_limit=1000)

    def test_a_job_above_the_limit_has_its_turn(self, table: JobTable) -> None:
        """When nothing waits it is let in."""
        table.submit(request("large", cost_px=5000), queued_px_limit=1000)
        with pytest.raises(QueueFull):
            table.submit(request("small", cost_px=1), queued_px_limit=1000)

    def test_one_client_may_have_so_much_waiting(self, table: JobTable) -> None:
        """And what others have does not count."""

        def submit_as(owner: str, content: str) -> None:
            new = request(content, cost_px=600, owner=owner)
            table.submit(new, queued_px_limit=10_000, client_px_limit=1000)

        submit_as("ann", "a")
        with pytest.raises(ClientQueueFull, match="600 pixels") as refused:
            submit_as("ann", "b")
        assert refused.value.retry_after_s >= 1
        submit_as("bob", "b")
        claim(table)
        submit_as("ann", "c")

    def test_when_to_come_back(self, table: JobTable, clock: HandClock) -> None:
        """By recorded speed and workers: 900 pixels too many at 2 x 10 pixels a second."""
        submit(table, cost_px=100)
        claimed = claim(table)
        clock.now += 10
        assert finish(table, claimed)
        for worker in ("a", "b"):
            table.worker_seen(worker)
        submit(table, "waiting", cost_px=1000)
        with pytest.raises(QueueFull) as refused:
            table.submit(request("too much", cost_px=900), queued_px_limit=1000)
        assert refused.value.retry_after_s == 45


class TestSameContent:
    """The same picture with the same options is worked on once."""

    def test_a_kept_result_is_given_at_once(self, table: JobTable) -> None:
        """Even when the queue is full, as a job of its own."""
        first = submit(table)
        table.heartbeat(claimed := claim(table), done_tiles=1, total_tiles=4)
        assert finish(table, claimed)
        submit(table, "other")
        new = request(owner="another", source_name="mine.jpg")
        second, created = table.submit(new, queued_px_limit=0)
        assert created
        assert second.id != first.id
        assert (second.state, second.result) == (State.DONE, blob(claimed))
        assert (second.owner, second.source_name) == ("another", "mine.jpg")
        assert (second.done_tiles, second.total_tiles) == (4, 4)
        assert (second.width, second.height, second.result_format) == (40, 25, "jpeg")
        assert second.finished == second.created

    def test_a_running_job_finishes_the_others(self, table: JobTable) -> None:
        """They are held meanwhile, so that no worker does the same."""
        jobs = [submit(table) for _ in range(3)]
        claimed = claim(table)
        assert table.claim("another") is None
        assert [table.position(job.id) for job in jobs] == [0, 0, 0]
        assert finish(table, claimed)
        for job in jobs:
            assert table.get(job.id).state is State.DONE
            assert table.get(job.id).result == blob(claimed)
        assert [table.get(job.id).attempts for job in jobs] == [1, 0, 0]

    @pytest.mark.parametrize("end", ["fail", "cancel", "release"])
    def test_whatever_befalls_one_the_others_go_on(self, table: JobTable, end: str) -> None:
        """Another person's cancel or a worker's fault loses nobody's job."""
        one, other = submit(table), submit(table, owner="another")
        claimed = claim(table)
        if end == "fail":
            assert table.fail(claimed, code="engine-failed", text="it failed")
        elif end == "cancel":
            table.request_cancel(one.id)
            assert table.cancelled(claimed)
        else:
            assert table.release(claimed)
        expected = one.id if end == "release" else other.id
        assert claim(table).job.id == expected
        assert table.get(other.id).state is not State.CANCELLED

    def test_an_expired_result_is_not_given(self, table: JobTable, clock: HandClock) -> None:
        """Nor one whose file was found to be gone."""
        submit(table, expires_after_s=100)
        assert finish(table, claimed := claim(table))
        clock.now += 99
        assert submit(table).state is State.DONE
        assert table.give_up_result(blob(claimed).key) == 2
        assert submit(table).state is State.QUEUED
        assert finish(table, claim(table))
        clock.now += DAY_S
        assert submit(table).state is State.QUEUED


class TestOrder:
    """Who is next, and what one is told about it."""

    def test_first_come_first_served(self, table: JobTable) -> None:
        """Also within one tick of the clock."""
        jobs = [submit(table, str(number)) for number in range(5)]
        assert [table.position(job.id) for job in jobs] == [1, 2, 3, 4, 5]
        assert [claim(table).job.id for _ in jobs] == [job.id for job in jobs]
        assert table.claim("worker") is None

    def test_interactive_jobs_pass_batch_jobs(self, table: JobTable, clock: HandClock) -> None:
        """Those that come within two minutes; a batch job that has waited longer goes first."""
        batch = submit(table, "batch", priority=Priority.BATCH)
        clock.now += BATCH_DELAY_S - 1
        soon = submit(table, "soon")
        clock.now += 2
        late = submit(table, "late")
        order = [soon, batch, late]
        assert [table.position(job.id) for job in order] == [1, 2, 3]
        assert [claim(table).job.id for _ in order] == [job.id for job in order]
        assert [table.position(job.id) for job in order] == [0, 0, 0]

    def test_jobs_of_lost_workers_go_first(self, table: JobTable, clock: HandClock) -> None:
        """Before they are reaped and after, at the place that they had."""
        job, other = submit(table, "a"), submit(table, "b")
        claim(table, lease_s=10)
        assert table.position(other.id) == 1
        clock.now += 10
        assert table.position(other.id) == 2
        table.reap()
        assert [table.position(job.id), table.position(other.id)] == [1, 2]

    def test_how_long_it_will_take(self, table: JobTable, clock: HandClock) -> None:
        """From the speed of the jobs before, shared by the workers there are."""
        submit(table, "a", cost_px=1000)
        first = claim(table)
        assert table.eta_s(first.job.id) is None
        clock.now += 10
        assert finish(table, first)  # 100 pixels a second
        assert table.eta_s(first.job.id) is None
        running = submit(table, "b", cost_px=3000)
        claim(table, lease_s=100)
        queued = [submit(table, name, cost_px=1000) for name in "cd"]
        assert table.eta_s(running.id) == pytest.approx(30)
        assert [table.eta_s(job.id) for job in queued] == pytest.approx([40, 50])
        for worker in ("a", "b"):
            table.worker_seen(worker)
        # two workers: the second is free, then both are at work
        assert [table.eta_s(job.id) for job in queued] == pytest.approx([10, 30])
        assert table.eta_s(submit(table, "b").id) == pytest.approx(30)  # held by the running one

    def test_a_jobs_own_progress_counts_more(self, table: JobTable, clock: HandClock) -> None:
        """A quarter took 10 s, so the rest takes 30 s, whatever other jobs took."""
        submit(table)
        claimed = claim(table, lease_s=100)
        clock.now += 10
        table.heartbeat(claimed, done_tiles=5, total_tiles=20)
        assert table.eta_s(claimed.job.id) == pytest.approx(30)

    def test_speed_follows_the_latest_jobs(self, table: JobTable, clock: HandClock) -> None:
        """By model, with and without averaging, and for large jobs more than for small ones."""

        def work(content: str, *, px: int, seconds: float, tta: bool = False) -> None:
            submit(table, content, cost_px=px, options=JobOptions(model="lite", tta=tta))
            claimed = claim(table, lease_s=1000)
            clock.now += seconds
            assert finish(table, claimed)

        work("a", px=1000, seconds=10)
        work("b", px=800, seconds=8, tta=True)
        assert table.figures().px_per_s == pytest.approx({"lite": 100, "lite+tta": 100})
        work("c", px=1200, seconds=2)
        assert table.figures().px_per_s["lite"] == pytest.approx((800 + 1200) / (8 + 2))
        for number in range(20):
            work(f"d{number}", px=1000, seconds=1)
        assert table.figures().px_per_s["lite"] == pytest.approx(1000, rel=0.05)


class TestCancel:
    """A cancelled job never comes back."""

    def test_a_queued_job(self, table: JobTable) -> None:
        """It ends at once."""
        job = table.request_cancel(submit(table).id)
        assert job.state is State.CANCELLED
        assert job.finished is not None
        assert table.claim("worker") is None

    @pytest.mark.parametrize("end", ["cancelled", "finish", "fail", "release", "reap"])
    def test_a_running_job(self, table: JobTable, clock: HandClock, end: str) -> None:
        """However its worker lets go of it, it ends as cancelled and publishes nothing."""
        submit(table)
        claimed = claim(table)
        job = table.request_cancel(claimed.job.id)
        assert (job.state, job.cancel_requested) == (State.RUNNING, True)
        assert table.heartbeat(claimed, done_tiles=1, total_tiles=9) == "cancel"
        if end == "finish":
            assert not finish(table, claimed)
        elif end == "fail":
            assert table.fail(claimed, code="engine-failed", text="it failed")
        elif end == "reap":
            clock.now += 1000
            assert table.claim("another") is None
            assert table.reap().cancelled == (job.id,)
        else:
            assert getattr(table, end)(claimed)
        ended = table.get(job.id)
        assert (ended.state, ended.result, ended.error_code) == (State.CANCELLED, None, None)
        assert table.claim("another") is None
        assert table.heartbeat(claimed, done_tiles=2, total_tiles=9) == "lost"

    def test_a_job_that_has_ended(self, table: JobTable) -> None:
        """Its result stays."""
        submit(table)
        assert finish(table, claimed := claim(table))
        assert table.request_cancel(claimed.job.id) == table.get(claimed.job.id)
        assert table.get(claimed.job.id).state is State.DONE
        with pytest.raises(JobMissing):
            table.request_cancel("nothing")


class TestRetention:
    """What is kept, and for how long."""

    def test_jobs_expire_after_their_end(self, table: JobTable, clock: HandClock) -> None:
        """Never while they wait or run, however long that is."""
        done = submit(table, "done", expires_after_s=100, idempotency_key="k")
        finish(table, claim(table))
        waiting = submit(table, "waiting", expires_after_s=1)
        clock.now += 99
        assert table.expire().expired == 0
        clock.now += 1
        assert table.expire().expired == 1
        expired = table.get(done.id)
        assert (expired.state, expired.result) == (State.EXPIRED, None)
        assert table.get(waiting.id).state is State.QUEUED
        assert submit(table, "another", idempotency_key="k").id != done.id

    def test_expired_jobs_are_forgotten(self, table: JobTable, clock: HandClock) -> None:
        """Some time after, so that a client is told meanwhile."""
        job = submit(table, expires_after_s=10)
        table.request_cancel(job.id)
        clock.now += 10
        assert table.expire(forget_after_s=50).expired == 1
        clock.now += 49
        assert table.expire(forget_after_s=50).forgotten == 0
        assert table.get(job.id).state is State.EXPIRED
        clock.now += 1
        assert table.expire(forget_after_s=50).forgotten == 1
        with pytest.raises(JobMissing):
            table.get(job.id)

    def test_which_blobs_are_kept(self, table: JobTable, clock: HandClock) -> None:
        """Sources as long as they are to be worked on, or their jobs shown; results till expiry."""

        def sources(*names: str) -> set[str]:
            return {f"source of {name}" for name in names}

        submit(table, "done", expires_after_s=10)
        finish(table, done := claim(table))
        submit(table, "failed", expires_after_s=20)
        table.fail(claim(table), code="bad-picture", text="it is empty")
        submit(table, "running")
        claim(table)
        submit(table, "queued")
        result = {blob(done).key}
        kept = result | sources("done", "failed", "running", "queued")
        assert table.keep_keys(sources_s=1) == kept
        assert table.keep_keys(sources_s=0) == result | sources("running", "queued")
        clock.now += 10
        table.expire()
        assert table.keep_keys(sources_s=11) == sources("failed", "running", "queued")
        assert table.keep_keys(sources_s=10) == sources("running", "queued")


class TestFigures:
    """Numbers for people who watch."""

    def test_an_empty_table(self, table: JobTable) -> None:
        """Zeros, and every state is there."""
        figures = table.figures()
        assert figures.jobs == dict.fromkeys(State, 0)
        assert (figures.queued_px, figures.oldest_queued_s, figures.live_workers) == (0, 0, 0)
        assert (figures.lease_expiries, figures.poisoned, figures.px_per_s) == (0, 0, {})

    def test_a_busy_table(self, table: JobTable, clock: HandClock) -> None:
        """Counts, pixels and the age of the job that waits longest."""
        jobs: list[Job] = []
        for number in range(4):
            jobs.append(submit(table, str(number), cost_px=2**40 + number))
            clock.now += 5
        claim(table)
        table.request_cancel(jobs[1].id)
        figures = table.figures()
        assert {state: number for state, number in figures.jobs.items() if number} == {
            State.RUNNING: 1,
            State.CANCELLED: 1,
            State.QUEUED: 2,
        }
        assert figures.queued_px == 2 * 2**40 + 5
        assert figures.oldest_queued_s == 10

    def test_workers_are_seen(self, table: JobTable, clock: HandClock) -> None:
        """As long as they say so."""
        for worker in ("a", "b", "a"):
            table.worker_seen(worker)
        assert table.live_workers(within_s=30) == 2
        clock.now += 20
        table.worker_seen("b")
        clock.now += 15
        assert table.live_workers(within_s=30) == 1
        table.worker_gone("b")
        assert table.live_workers(within_s=1000) == 1
        clock.now += 2 * DAY_S
        table.expire()
        assert table.live_workers(within_s=10 * DAY_S) == 0
