"""How much one client may ask for in a minute: pictures, and output pixels.

The counts are a weighted pair of windows, exact on average, and nothing is counted of what was
refused. They live beside the job table, so that they hold for every process on it, or in Redis;
where Redis fails, they go on beside the job table, and the log says so.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from flask import current_app
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import SlidingWindowCounterSupport, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy import BigInteger, Column, Double, MetaData, String, Table, delete, select

from upres.errors import RateLimited, UpresError
from upres.service.log import logger
from upres.web.clients import client

if TYPE_CHECKING:
    from flask import Flask

    from upres.jobs.database import Database, Transaction
    from upres.service.parts import Service
    from upres.service.settings import ServiceSettings

_EXTENSION = "upres.limits"
_MINUTE_S = 60
_metadata = MetaData()
_counts = Table(
    "rate_counts",
    _metadata,
    Column("key", String(255), primary_key=True),
    Column("charged", BigInteger, nullable=False),
    # seconds since 1970: the key's window and the one after it are over
    Column("until", Double, nullable=False, index=True),
)


class DatabaseCounts(Storage, SlidingWindowCounterSupport):
    """Counts of windows in a table beside the jobs; a window is numbered since 1970."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        """Make the table where there is none. Raises the errors of databases."""
        super().__init__()
        self._database = database
        with database.write() as tx:
            tx.exclusive()
            _metadata.create_all(tx.connection, checkfirst=True)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this raises when it fails."""
        return UpresError

    def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count an amount where the weighted sum stays within the limit."""
        with self._database.write() as tx:
            tx.exclusive()
            tx.connection.execute(delete(_counts).where(_counts.c.until <= tx.now))
            before, rest_s, count, _ = _window(tx, key, expiry)
            if int(before * rest_s / expiry) + count + amount > limit:
                return False
            current = _key(key, expiry, tx.now)
            tx.ensure(_counts, key=current, charged=0, until=_end(expiry, tx.now) + expiry)
            more = _counts.update().where(_counts.c.key == current)
            tx.connection.execute(more.values(charged=_counts.c.charged + amount))
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return count and remaining seconds of the window before, then of the current one."""
        with self._database.read() as tx:
            return _window(tx, key, expiry)

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget both windows of a key."""
        with self._database.write() as tx:
            keys = [_key(key, expiry, tx.now), _key(key, expiry, tx.now - expiry)]
            tx.connection.execute(delete(_counts).where(_counts.c.key.in_(keys)))

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not for other strategies than the one used here."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Not for other strategies than the one used here."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Not for other strategies than the one used here."""
        raise NotImplementedError

    def clear(self, key: str) -> None:
        """Not for other strategies than the one used here."""
        raise NotImplementedError

    def check(self) -> bool:
        """Tell whether the table can be read."""
        self.get_sliding_window("", _MINUTE_S)
        return True

    def reset(self) -> int:
        """Forget everything and return how many counts that were."""
        with self._database.write() as tx:
            return tx.connection.execute(delete(_counts)).rowcount


class ClientLimits:
    """The two limits of every client."""

    def __init__(self, settings: ServiceSettings, database: Database) -> None:
        """Take the counts beside the jobs, or those of the Redis that the settings name."""
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute)
        megapixels = settings.output_megapixels_per_minute
        self._pixels = RateLimitItemPerMinute(megapixels * 1_000_000)
        self._kept = SlidingWindowCounterRateLimiter(DatabaseCounts(database))
        self._shared: SlidingWindowCounterRateLimiter | None = None
        if settings.rate_limit_url is not None:
            url = settings.rate_limit_url.get_secret_value()
            redis = storage_from_string(url, wrap_exceptions=True, socket_timeout=1.0)
            self._shared = SlidingWindowCounterRateLimiter(redis)

    def charge_request(self, owner: str) -> None:
        """Count a picture. Raises RateLimited."""
        self._charge(self._requests, "requests", owner, 1, shown=self._requests.amount)

    def give_back_request(self, owner: str) -> None:
        """Let a picture that was counted be one that was not."""
        with suppress(RateLimited):  # the limit was lowered meanwhile: there is nothing to give
            self._charge(self._requests, "requests", owner, -1, shown=self._requests.amount)

    def charge_pixels(self, owner: str, pixels: int) -> None:
        """Count output pixels. Raises RateLimited."""
        shown = self._pixels.amount // 1_000_000
        self._charge(self._pixels, "megapixels", owner, pixels, shown=shown)

    def _charge(
        self, item: RateLimitItemPerMinute, what: str, owner: str, cost: int, *, shown: int
    ) -> None:
        if self._shared is not None:
            try:
                self._charge_in(self._shared, item, what, owner, cost, shown=shown)
            except StorageError as error:
                reason = type(error.storage_error).__name__
                logger("web").warning("the limits' Redis does not answer", reason=reason)
            else:
                return
        self._charge_in(self._kept, item, what, owner, cost, shown=shown)

    @staticmethod
    def _charge_in(
        counts: SlidingWindowCounterRateLimiter,
        item: RateLimitItemPerMinute,
        what: str,
        owner: str,
        cost: int,
        *,
        shown: int,
    ) -> None:
        if not counts.hit(item, what, owner, cost=cost):
            window = counts.storage.get_sliding_window(  # type: ignore[attr-defined]
                item.key_for(what, owner), _MINUTE_S
            )
            wait_s = room_in_s(*window, limit=item.amount, cost=cost)
            raise RateLimited(what, limit=shown, retry_after_s=wait_s)


def room_in_s(
    before: int, before_rest_s: float, count: int, count_rest_s: float, *, limit: int, cost: int
) -> int:
    """Return the whole seconds until a cost fits, should nothing else be counted meanwhile.

    The window before fades evenly until its end, after which the current one takes its place.
    """
    room = limit - cost
    if before and count <= room:
        fits_at_rest = max(0.0, room - count) * _MINUTE_S / before
        return max(1, -int(-(before_rest_s - fits_at_rest) // 1))
    rest_s = count_rest_s % _MINUTE_S if count_rest_s else before_rest_s
    faded_s = _MINUTE_S * (1 - max(0, room) / count) if count else 0.0
    return max(1, -int(-(rest_s + max(0.0, faded_s)) // 1))


def install(app: Flask, service: Service) -> None:
    """Let the requests of an application be counted."""
    app.extensions[_EXTENSION] = ClientLimits(service.settings, service.table.database)


def charge_request() -> None:
    """Count a picture of the current request's client. Raises RateLimited."""
    _limits().charge_request(client().owner)


def give_back_request() -> None:
    """Let another process count the current request's picture, which will be asked."""
    _limits().give_back_request(client().owner)


def charge_pixels(pixels: int) -> None:
    """Count output pixels of the current request's client. Raises RateLimited."""
    _limits().charge_pixels(client().owner, pixels)


def _limits() -> ClientLimits:
    found: ClientLimits = current_app.extensions[_EXTENSION]
    return found


def _key(key: str, expiry: int, now: float) -> str:
    return f"{key}/{int(now // expiry)}"


def _end(expiry: int, now: float) -> float:
    return (now // expiry + 1) * expiry


def _window(tx: Transaction, key: str, expiry: int) -> tuple[int, float, int, float]:
    current, previous = _key(key, expiry, tx.now), _key(key, expiry, tx.now - expiry)
    query = select(_counts.c.key, _counts.c.charged).where(_counts.c.key.in_([current, previous]))
    found = {row.key: int(row.charged) for row in tx.connection.execute(query)}
    rest_s = _end(expiry, tx.now) - tx.now
    return found.get(previous, 0), rest_s, found.get(current, 0), rest_s + expiry
