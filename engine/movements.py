"""What has physically come and gone at each position in the last day.

A count says what was there at its time; what moved since is applied to it again. One field of the
store holds what moved in one minute at one place.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from engine.limits import MOVEMENTS_KEPT_MS
from engine.record import pack

if TYPE_CHECKING:
    from engine.state import ShardState
    from engine.stock import Position

_MINUTE_MS: Final = 60_000


class Movements:
    """By backing: ``[at_ms, units]``, the oldest first."""

    def __init__(self) -> None:
        self._by_backing: dict[str, deque[list[int]]] = {}

    def note(self, state: "ShardState", position: "Position", units: int) -> None:
        """Units came to a position (negative: left it) now."""
        now_ms, backing = state.effects.now_ms, position.backing
        moves = self._by_backing.setdefault(backing, deque())
        last = moves[-1] if moves else None
        if last is not None and last[0] == now_ms:
            last[1] += units
        else:
            moves.append([now_ms, units])

        def restore() -> None:
            moves[-1][1] -= units
            if last is not moves[-1]:
                moves.pop()
            if not moves:
                self._by_backing.pop(backing, None)

        state.undo(restore)
        minute = now_ms // _MINUTE_MS
        of_minute = []
        for at in reversed(moves):
            if at[0] // _MINUTE_MS != minute:
                break
            of_minute.append(list(at))
        state.field(f"x|{backing}|{minute}", pack(of_minute[::-1]))

    def since(self, position: "Position", at_ms: int) -> int:
        """Units that have come, less those that have gone, behind an instant."""
        moves = self._by_backing.get(position.backing, ())
        return sum(units for moved_at_ms, units in moves if moved_at_ms > at_ms)

    def load(self, rest: str, moves: list[list[int]]) -> None:
        """Take a minute's field in; ``sort`` afterwards."""
        self._by_backing.setdefault(rest.rpartition("|")[0], deque()).extend(moves)

    def sort(self) -> None:
        """The oldest first."""
        for backing, moves in self._by_backing.items():
            self._by_backing[backing] = deque(sorted(moves))

    def forget(self, state: "ShardState", now_ms: int, most: int) -> list[str]:
        """Drop what is too old, of so many minutes at most; the fields that go."""
        oldest = (now_ms - MOVEMENTS_KEPT_MS) // _MINUTE_MS * _MINUTE_MS
        fields: list[str] = []
        for backing, moves in sorted(self._by_backing.items()):
            gone = []
            while moves and moves[0][0] < oldest and len(fields) < most:
                gone.append(moves.popleft())
                name = f"x|{backing}|{gone[-1][0] // _MINUTE_MS}"
                if name not in fields[-1:]:
                    fields.append(name)
            if gone:
                state.undo(_back(self._by_backing, backing, moves, gone))
            if not moves:
                self._by_backing.pop(backing, None)
            if len(fields) >= most:
                break
        return fields


def _back(
    kept: dict[str, deque[list[int]]], backing: str, moves: deque[list[int]], gone: list[list[int]]
) -> Any:
    def restore() -> None:
        moves.extendleft(reversed(gone))
        kept[backing] = moves

    return restore
