"""The rules of eviction, for any contents of a store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upres.storage.blobs import StoredBlob, evictions

NOW = 1_000_000.0

stores = st.lists(
    st.builds(
        StoredBlob,
        key=st.integers(0, 30).map(lambda number: f"{number:064x}"),
        bytes=st.integers(0, 100),
        used=st.integers(int(NOW) - 100, int(NOW) + 5).map(float),
    ),
    unique_by=lambda blob: blob.key,
    max_size=20,
).map(lambda blobs: sorted(blobs, key=lambda blob: (blob.used, blob.key)))
kept = st.sets(st.integers(0, 30).map(lambda number: f"{number:064x}"))
ages = st.none() | st.integers(0, 100).map(float)
sizes = st.none() | st.integers(0, 1000)
fresh = st.integers(0, 50).map(float)


def removed(
    store: list[StoredBlob],
    keep: set[str],
    max_age_s: float | None,
    max_bytes: int | None,
    fresh_s: float,
) -> list[StoredBlob]:
    return evictions(
        iter(store),
        keep=keep,
        now=NOW,
        max_age_s=max_age_s,
        max_bytes=max_bytes,
        fresh_s=fresh_s,
    )


def may_go(blob: StoredBlob, keep: set[str], fresh_s: float) -> bool:
    return blob.key not in keep and NOW - blob.used >= fresh_s


@given(store=stores, keep=kept, max_age_s=ages, max_bytes=sizes, fresh_s=fresh)
def test_never_what_is_kept_or_fresh(
    store: list[StoredBlob],
    keep: set[str],
    max_age_s: float | None,
    max_bytes: int | None,
    fresh_s: float,
) -> None:
    """Whatever the limits; and each blob once."""
    gone = removed(store, keep, max_age_s, max_bytes, fresh_s)
    assert all(may_go(blob, keep, fresh_s) for blob in gone)
    assert len(set(gone)) == len(gone)
    assert set(gone) <= set(store)


@given(store=stores, keep=kept, max_age_s=ages.filter(bool), fresh_s=fresh)
def test_age_alone(
    store: list[StoredBlob], keep: set[str], max_age_s: float, fresh_s: float
) -> None:
    """All that is older goes, nothing that is younger."""
    gone = removed(store, keep, max_age_s, None, fresh_s)
    old = {blob for blob in store if NOW - blob.used > max_age_s}
    assert set(gone) == {blob for blob in old if may_go(blob, keep, fresh_s)}


@given(store=stores, keep=kept, max_bytes=sizes.filter(lambda size: size is not None))
def test_size_alone(store: list[StoredBlob], keep: set[str], max_bytes: int) -> None:
    """Just enough goes, the oldest first, until the rest fits or nothing more may go."""
    gone = removed(store, keep, None, max_bytes, 0)
    left = sum(blob.bytes for blob in store) - sum(blob.bytes for blob in gone)
    candidates = [blob for blob in store if may_go(blob, keep, 0)]
    assert gone == candidates[: len(gone)]
    assert left <= max_bytes or gone == candidates
    if gone:
        assert left + gone[-1].bytes > max_bytes


@given(store=stores, keep=kept, max_age_s=ages, max_bytes=sizes, fresh_s=fresh)
def test_a_second_sweep_finds_nothing_to_do(
    store: list[StoredBlob],
    keep: set[str],
    max_age_s: float | None,
    max_bytes: int | None,
    fresh_s: float,
) -> None:
    """At the same moment."""
    gone = set(removed(store, keep, max_age_s, max_bytes, fresh_s))
    left = [blob for blob in store if blob not in gone]
    assert removed(left, keep, max_age_s, max_bytes, fresh_s) == []


@given(store=stores, keep=kept, max_age_s=ages, max_bytes=sizes)
def test_both_limits_hold_together(
    store: list[StoredBlob], keep: set[str], max_age_s: float | None, max_bytes: int | None
) -> None:
    """What is too old goes although the rest would fit, and counts towards the size."""
    by_age = set(removed(store, keep, max_age_s, None, 0))
    both = set(removed(store, keep, max_age_s, max_bytes, 0))
    rest = [blob for blob in store if blob not in by_age]
    assert both >= by_age
    if max_bytes is not None:
        left = sum(blob.bytes for blob in store if blob not in both)
        assert left <= max_bytes or not any(
            may_go(blob, keep, 0) for blob in rest if blob not in both
        )
