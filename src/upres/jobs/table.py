"""The table of jobs: the one truth about what was accepted and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from upres.jobs import figures, leases, pace, queue, retention, schema
from upres.jobs.database import BUSY_TIMEOUT_S, Clock, Database
from upres.jobs.job import ATTEMPTS_CAP, LEASE_S, Claim, Job, NewJob, ResultFormat
from upres.jobs.rows import job_of, storable
from upres.jobs.schema import workers

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from upres.storage.blobs import Blob


class JobTable:
    """Jobs in SQLite or PostgreSQL, shared between threads, processes and machines.

    A method is one transaction: when it returns, what it did is on the disk, and when it raises,
    nothing was done. Every one raises DatabaseBusy, DatabaseUnusable or DiskFull where the database
    fails it; those with a job's id raise JobMissing.
    """

    def __init__(
        self, url: str, *, clock: Clock | None = None, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Take a database's URL and open nothing yet; see upres.jobs.database.Database."""
        self.database = Database(url, clock=clock, busy_timeout_s=busy_timeout_s)
        """For other tables beside these: its `read` and `write` begin transactions as they must."""

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine of the database."""
        return self.database.engine

    def create(self) -> None:
        """Make the tables where there are none; every process calls it first.

        Raises DatabaseTooNew when a newer upres made them.
        """
        schema.create(self.database)

    def close(self) -> None:
        """Close the connections to the database."""
        self.database.close()

    def check(self) -> None:
        """Write something, to see that it can be done."""
        with self.database.write() as tx:
            leases.count(tx, "checks", 1)

    def submit(
        self, new: NewJob, *, queued_px_limit: int, client_px_limit: int | None = None
    ) -> tuple[Job, bool]:
        """Accept a job and return it and True.

        The same request of the same owner once more (by its idempotency key) gives the job that
        there is, and False. Where a result of the same content is kept, the job is done at once.
        Raises IdempotencyConflict, and QueueFull or ClientQueueFull where too many pixels would
        wait, of all or of one owner; a job that comes when none waits is always let in.
        """
        with self.database.write() as tx:
            row, created = queue.submit(
                tx, new, queued_px_limit=queued_px_limit, client_px_limit=client_px_limit
            )
            return job_of(row), created

    def is_work(
        self, new: NewJob, *, queued_px_limit: int, client_px_limit: int | None = None
    ) -> bool:
        """Tell whether `submit` would queue this, and not find its job or its result.

        Raises QueueFull and ClientQueueFull as `submit` would now.
        """
        with self.database.read() as tx:
            return queue.is_work(
                tx, new, queued_px_limit=queued_px_limit, client_px_limit=client_px_limit
            )

    def source_wanted(self, key: str) -> bool:
        """Tell whether any job has that blob as its source."""
        with self.database.read() as tx:
            return queue.source_wanted(tx, key)

    def get(self, job_id: str) -> Job:
        """Return a job as it is now."""
        with self.database.read() as tx:
            return job_of(queue.found(tx, job_id))

    def position(self, job_id: str) -> int:
        """Return how many claims it takes until the job's own: 1 is next.

        0: it does not wait, or it waits for the end of a running job of the same content.
        """
        with self.database.read() as tx:
            return queue.position(tx, job_id)

    def eta_s(self, job_id: str) -> float | None:
        """Return the seconds until a job will be done, by the speed of jobs before it.

        None: it has ended, or nothing was ever finished here to go by.
        """
        with self.database.read() as tx:
            row = queue.found(tx, job_id)
            return pace.eta_s(tx, row, ahead=queue.ahead_of(row, tx.now))

    def speeds(self) -> dict[str, float]:
        """Return the recorded output pixels a second, by model; with `+tta` for eight passes."""
        with self.database.read() as tx:
            return pace.recorded_paces(tx).px_per_s

    def request_cancel(self, job_id: str) -> Job:
        """Cancel a job that waits at once, and one that runs as soon as its worker looks up.

        From now on the job can end in no other way. A job that has ended stays as it is.
        """
        with self.database.write() as tx:
            return job_of(queue.request_cancel(tx, job_id))

    def claim(
        self, worker: str, *, lease_s: float = LEASE_S, attempts_cap: int = ATTEMPTS_CAP
    ) -> Claim | None:
        """Take the next job, or one whose lease is over and that has attempts left; None: no job.

        upres.jobs.queue tells the order.
        """
        with self.database.read() as tx:
            if not leases.anything_to_claim(tx):
                return None
        with self.database.write() as tx:
            return leases.claim(tx, worker, lease_s=lease_s, attempts_cap=attempts_cap)

    def heartbeat(
        self, claim: Claim, *, done_tiles: int, total_tiles: int, lease_s: float = LEASE_S
    ) -> leases.Word:
        """Prolong the lease and tell the progress.

        `cancel`: stop, then call `cancelled`. `lost`: another has the job, or it has ended; stop
        and throw the work away.
        """
        with self.database.write() as tx:
            return leases.heartbeat(
                tx, claim, done_tiles=done_tiles, total_tiles=total_tiles, lease_s=lease_s
            )

    def forfeit(self, claim: Claim) -> bool:
        """Let others have the job at once; the attempt counts."""
        with self.database.write() as tx:
            word = leases.heartbeat(tx, claim, done_tiles=0, total_tiles=0, lease_s=0)
            return word != "lost"

    def finish(
        self,
        claim: Claim,
        *,
        result: Blob,
        format: ResultFormat,  # noqa: A002
        width: int,
        height: int,
        reduced: Blob | None = None,
        content_key: str | None = None,
        choice: str | None = None,
        ran: str | None = None,
    ) -> bool:
        """Publish a result, also for the queued jobs of the same content.

        `reduced` is a smaller one to look at. `content_key` is what the result is stored under
        where that may have changed since the job came; `choice` is what `auto` chose, `ran` what
        made the result, both in JSON. False: it was not published, for the claim was lost or the
        job cancelled; throw it away.
        """
        with self.database.write() as tx:
            return leases.finish(
                tx,
                claim,
                result=result,
                reduced=reduced,
                format=format,
                width=width,
                height=height,
                content_key=content_key,
                choice=choice,
                ran=ran,
            )

    def fail(self, claim: Claim, *, code: str, text: str) -> bool:
        """End a job that cannot be done, with one line for people. False: the claim is lost."""
        with self.database.write() as tx:
            return leases.fail(tx, claim, code=code, text=text)

    def cancelled(self, claim: Claim) -> bool:
        """End a job whose work was stopped because that was asked for. False: the claim is lost."""
        with self.database.write() as tx:
            return leases.cancelled(tx, claim)

    def release(self, claim: Claim) -> bool:
        """Give a job back unharmed, with its attempt and its place. False: the claim is lost."""
        with self.database.write() as tx:
            return leases.release(tx, claim)

    def reap(self, *, attempts_cap: int = ATTEMPTS_CAP) -> leases.Reaped:
        """Deal with the jobs whose lease is over: put them back, or fail them as poison."""
        with self.database.read() as tx:
            if not leases.anything_lost(tx):
                return leases.Reaped()
        with self.database.write() as tx:
            return leases.reap(tx, attempts_cap=attempts_cap)

    def expire(self, *, forget_after_s: float = retention.FORGET_AFTER_S) -> retention.Expiry:
        """Expire the jobs whose time is over, and forget the ones that expired so long ago."""
        with self.database.write() as tx:
            return retention.expire(tx, forget_after_s=forget_after_s)

    def give_up_result(self, key: str) -> int:
        """Expire every job whose result is that blob, because it is gone; return how many."""
        with self.database.write() as tx:
            return retention.give_up_result(tx, key)

    def keep_keys(self, *, sources_s: float) -> set[str]:
        """Return the keys of the blobs that jobs still need.

        Those are the results of jobs that have not expired, and the sources of unfinished jobs and
        of those that ended within `sources_s`.
        """
        with self.database.read() as tx:
            return retention.keep_keys(tx, sources_s=sources_s)

    def figures(self) -> figures.Figures:
        """Return the queue's figures for metrics."""
        with self.database.read() as tx:
            return figures.figures(tx)

    def worker_seen(self, worker: str) -> None:
        """Note that a worker is alive."""
        with self.database.write() as tx:
            name = storable(worker)
            tx.ensure(workers, name=name, seen=tx.now)
            statement = update(workers).where(workers.c.name == name)
            tx.connection.execute(statement.values(seen=tx.now))

    def worker_gone(self, worker: str) -> None:
        """Note that a worker has ended as it should."""
        with self.database.write() as tx:
            tx.connection.execute(delete(workers).where(workers.c.name == storable(worker)))

    def live_workers(self, *, within_s: float = LEASE_S) -> int:
        """Return how many workers were seen in the last so many seconds."""
        with self.database.read() as tx:
            return pace.live_workers(tx, within_s=within_s)
