from __future__ import annotations

import threading

from upres.web.slots import Place, Slots


def test_no_more_places_than_there_are() -> None:
    slots = Slots(2)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    assert slots.take() is None
    first.give_back()
    assert slots.take() is not None
    assert slots.used == 2


def test_a_place_is_given_back_once() -> None:
    """A stream's end and its client's both give it back; others' places stay theirs."""
    slots = Slots(2)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    first.give_back()
    first.give_back()
    assert slots.used == 1


def test_a_block_gives_back_what_it_got_and_nothing_else() -> None:
    slots = Slots(1)
    with slots.taken() as held:
        assert held
        with slots.taken() as more:
            assert not more
        assert slots.used == 1
    assert slots.used == 0


def test_none_of_none() -> None:
    assert Slots(0).take() is None


def test_threads_share_them() -> None:
    """As many as there are get one, whoever asks at the same time."""
    slots = Slots(5)
    got: list[Place | None] = []
    ready = threading.Barrier(40)

    def ask() -> None:
        ready.wait()
        got.append(slots.take())

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(place is not None for place in got) == slots.used == 5


def test_one_owner_gets_some() -> None:
    """What one has given back it may have again; others are not asked to wait for it."""
    slots = Slots(4, each=2)
    mine = [slots.take("me"), slots.take("me"), slots.take("me")]
    assert [place is not None for place in mine] == [True, True, False]
    theirs = [slots.take("you"), slots.take("you")]
    assert all(theirs)
    assert mine[0] is not None
    mine[0].give_back()
    mine[0].give_back()
    assert slots.take("you") is None
    with slots.taken("me") as held:
        assert held
    assert slots.owners == {"me": 1, "you": 2}
