"""Many reservations in one request: each decided on its own, answered together, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgpack

from engine.commands import Reply
from engine.ids import reservation_id
from engine.outcome import Outcome
from gateway import answers
from gateway.hot_request import HotRequest, no_query
from gateway.intake import Finished, Intake
from gateway.problems import Refused, invalid, of_reply
from gateway.reading import Reader, checked_key
from gateway.requests import Ask, reservation_ids_valid
from gateway.schema import IdsBody, ReservationsBody

_READ_RESERVATIONS: Final = Reader(ReservationsBody)
_READ_IDS: Final = Reader(IdsBody)

_OK: Final = int(Outcome.OK)
_REPEATED: Final = int(Outcome.REPEATED)
_SHORT: Final = int(Outcome.SHORT)


class Batch:
    """The results of one batch request as they come in."""

    def __init__(self, request: HotRequest, size: int) -> None:
        self._request = request
        self._results: list[tuple[int, Any]] = [(0, None)] * size
        self._left = size
        self._packed = request.packed

    def reservation(self, number: int, status: int, name: str, record: bytes) -> None:
        """Element ``number`` is answered with a reservation."""
        if self._packed:
            self._set(number, status, answers.reservation(name, record))
        else:
            self._set(number, status, answers.reservation_json(name, record))

    def refusal(self, number: int, reply: Reply, name: str) -> None:
        """Element ``number`` is answered with a problem."""
        if not self._packed and reply[0] == _SHORT and len(reply) > 2 and reply[2]:
            self._set(number, 409, answers.sold_out_json(reply[1][0]))
            return
        refusal = of_reply(reply, name)
        document = refusal.document()
        body = document if self._packed else answers.to_json(document).decode()
        self._set(number, refusal.kind.status, body)

    def _set(self, number: int, status: int, body: Any) -> None:
        self._results[number] = (status, body)
        self._left -= 1
        if not self._left:
            self._request.answer(200, self._packed_body() if self._packed else self._json_body())

    def _json_body(self) -> bytes:
        parts = [f'{{"status":{status},"body":{body}}}' for status, body in self._results]
        return f'{{"results":[{",".join(parts)}]}}'.encode()

    def _packed_body(self) -> bytes:
        results = [{"status": status, "body": body} for status, body in self._results]
        packed: bytes = msgpack.packb({"results": results})
        return packed


def reserve_batch(intake: Intake, request: HotRequest) -> None:
    """POST /v1/reservations:batch"""
    no_query(request)
    body = _READ_RESERVATIONS.read(request.body, request.settle_formats())
    asked = [
        (_key(element.id, number), intake.asks.of(element, f"reservations[{number}]."))
        for number, element in enumerate(body.reservations)
    ]
    request.alone = True
    _Reserving(intake, request, asked).begin()


class _Reserving:
    """The elements of a batch on their way: in order for each key, else all at once."""

    def __init__(self, intake: Intake, request: HotRequest, asked: list[tuple[str, Ask]]) -> None:
        self._intake = intake
        self._deadline_at = request.deadline_at
        self._asked = asked
        self._batch = Batch(request, len(asked))
        self._followers = _followers(asked)
        self._ready: deque[int] = deque()
        self._at_work = False

    def begin(self) -> None:
        """Send off all that wait for no other."""
        later = set(self._followers.values())
        self._ready.extend(n for n in range(len(self._asked)) if n not in later)
        self._work()

    def _work(self) -> None:
        """A loop, not recursion: a thousand elements of one key may all be refused at once."""
        if self._at_work:
            return
        self._at_work = True
        while self._ready:
            number = self._ready.popleft()
            self._intake.reserve(
                *self._asked[number], self._deadline_at, partial(self._done, number)
            )
        self._at_work = False

    def _done(self, number: int, home: int, reply: Reply) -> None:
        key = self._asked[number][0]
        name = reservation_id(home, key)
        if reply[0] == _OK:
            self._batch.reservation(number, 201, name, reply[1])
        elif reply[0] == _REPEATED:
            self._batch.reservation(number, 200, name, reply[1])
        else:
            self._batch.refusal(number, reply, key)
        follower = self._followers.get(number)
        if follower is not None:
            self._ready.append(follower)
            self._work()


def _key(key: str | None, number: int) -> str:
    path = f"reservations[{number}].id"
    if key is None:
        raise Refused(invalid(path, "is required"))
    return checked_key(key, path)


def _followers(asked: list[tuple[str, Ask]]) -> dict[int, int]:
    """The next of the same key, by number, where it must wait for the answer of the one before.

    Where both lie on one and the same shard it need not: their owner decides in order.
    """
    last: dict[str, int] = {}
    followers: dict[int, int] = {}
    for number, (key, ask) in enumerate(asked):
        before = last.get(key)
        if before is not None:
            earlier = asked[before][1]
            if not earlier.single or (ask.single, ask.home) != (True, earlier.home):
                followers[before] = number
        last[key] = number
    return followers


def confirm_batch(intake: Intake, request: HotRequest) -> None:
    """POST /v1/reservations:confirm"""
    _finish_batch(intake.confirm, request)


def release_batch(intake: Intake, request: HotRequest) -> None:
    """POST /v1/reservations:release"""
    _finish_batch(intake.release, request)


def _finish_batch(finish: Callable[[str, float, Finished], None], request: HotRequest) -> None:
    no_query(request)
    ids = _READ_IDS.read(request.body, request.settle_formats()).ids
    reservation_ids_valid(ids)
    request.alone = True
    batch = Batch(request, len(ids))

    def begin(number: int, name: str) -> None:
        def done(reply: Reply) -> None:
            if reply[0] <= _REPEATED:
                batch.reservation(number, 200, name, reply[1])
            else:
                batch.refusal(number, reply, name)

        finish(name, request.deadline_at, done)

    for number, name in enumerate(ids):
        begin(number, name)
