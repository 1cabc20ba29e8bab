"""What the audit's findings mean, and what would mend each: proposed with its evidence.

A repair is a request of the ordinary API, proposed only where two of three (owner, store and
events) agree and it brings the third to them. A position is counted: dated to the instant of the
comparison, so that what moves until it is applied is not undone, under a reference made of what was
found, so that it is applied once. A hold is extended by less than it has, which writes it anew.
"""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

from engine.ids import reservation_id
from engine.record import Reservation, Status, unpack
from engine.state import PIECE
from engine.stock import ON_ITS_WAY

#: A finding: ``books._finding`` and what is added here.
Finding = dict[str, Any]

#: Holds with less time left end before a repair of theirs is made.
_LEFT_MS: Final = 10_000
_RELOADED: Final = (
    "the owner's memory differs from the store and from the events: end the host "
    "(`tidegate shards` names it) or start `tidegate up` anew, and the store's copy is loaded"
)
_GUARD: Final = (
    "the guard only moves by what is taken and given back, no command sets it: where reservations "
    "and stock are right, set this field of the shard's `free` to the owner's figure as the "
    "store's administrator, while nobody buys it; at the next start its SKU stops selling else"
)
_TWO_WRONG: Final = (
    "several copies differ at this place, so none says which is right: count the shelf, "
    "and read the shard's events of this SKU from the seq named here"
)
_ON_ITS_WAY: Final = (
    "a supply cannot be counted: compare it with its order, then receive, delay or cancel it"
)
_NOT_SOLD: Final = (
    "quarantined or damaged units differ, which no count sets: look at the shelf, "
    "then move units with POST /v1/stock/moves"
)
_GHOST: Final = (
    "the store has a position that the owner does not know: stop `tidegate up` and remove the "
    "field of the shard's `state`, or start again to have it counted, and audit then"
)
_REUSED: Final = "two requests had this key: release the reservation that is one too many"
_HISTORY: Final = (
    "the shard's owner changed or the store went back while it was compared: audit again"
)
_CHAIN: Final = (
    "the stream has not what was committed at this seq, and nothing behind it can be compared: "
    "count the shelf where stock is in doubt, and keep the data folder as it is"
)
_HOMELESS: Final = (
    "a piece of a paid order whose home does not know of it: its units are kept for nobody, and no "
    "command lets go of it alone; read what both shards' events say of the order"
)
_LOST_PIECE: Final = (
    "a paid order whose piece is missing on this shard: its units are not counted there and may be "
    "sold again; release the order and let the buyer order anew, or see that it is sent"
)
_NO_BASE: Final = (
    "events were trimmed and there is no base yet, so they say nothing: audit again in a minute"
)
_UNASKED: Final = "audit with the events (`tidegate audit --events`) to hear what they say"


def explain(findings: list[Finding], rebuilt: dict[int, dict[str, Any]]) -> None:
    """Give each finding its ``last_seq``, ``events``, ``advice`` and ``repair``, in place.

    ``rebuilt``: what ``rebuilding.rebuild`` told, by shard; empty: events were not asked for.
    """
    there: defaultdict[Any, dict[str, Finding]] = defaultdict(dict)
    for finding in findings:
        there[_place(finding)][finding["kind"]] = finding
    for finding in findings:
        told = rebuilt.get(finding["shard"], {})
        finding.setdefault("last_seq", _last_seq(finding, told))
        finding.setdefault("events", _events_say(finding, told))
        finding["advice"], finding["repair"] = _meaning(finding, told, there[_place(finding)])


def of_events(shard: int, told: dict[str, Any]) -> Iterable[Finding]:
    """The findings that a rebuild makes: stocks that differ, and where the stream breaks off."""
    for backing, live, events in told.get("differing", ()):
        sku, _, slot = backing.partition("|")
        yield {
            "shard": shard, "kind": "events", "sku": sku, "node": slot, "reservation": None,
            "owner": live, "store": events, "last_seq": told["touched"][backing], "events": events,
        }  # fmt: skip
    if told.get("broken"):
        seq, expected, found = told["broken"]
        yield {
            "shard": shard, "kind": "chain", "sku": None, "node": None, "reservation": None,
            "owner": expected, "store": found, "last_seq": seq, "events": None,
        }  # fmt: skip


def _place(finding: Finding) -> tuple[Any, ...]:
    return finding["shard"], finding["sku"], finding["node"], finding["reservation"]


def _backing(finding: Finding) -> str:
    return f"{finding['sku']}|{finding['node']}"


def _last_seq(finding: Finding, told: dict[str, Any]) -> int | None:
    if finding["sku"] is None:
        seq = told.get("seen", {}).get(finding["reservation"], (None,))[0]
    else:
        seq = told.get("touched", {}).get(_backing(finding))
    return seq if isinstance(seq, int) else None


def _events_say(finding: Finding, told: dict[str, Any]) -> Any:
    if finding["sku"] is None:
        return told.get("seen", {}).get(finding["reservation"], (None, None))[1]
    return told.get("stock", {}).get(_backing(finding))


def _meaning(finding: Finding, told: dict[str, Any], there: dict[str, Finding]) -> tuple[str, Any]:
    """What to do about a finding, and the repair where one is safe; ``there``: all at its place."""
    match finding["kind"]:
        case "key-reused":
            return _REUSED, None
        case "history":
            return _HISTORY, None
        case "chain":
            return _CHAIN, None
        case "piece":
            return (_LOST_PIECE if finding["owner"] is None else _HOMELESS), None
        case "reservations":
            return _of_record(finding, told)
    silent = _silent(told)
    if silent is not None:
        return silent, None
    if ON_ITS_WAY in finding["node"]:
        return _ON_ITS_WAY, None
    match sorted(there):
        case ["events"]:
            return _of_events(finding, told)
        case ["state"]:
            return _of_state(finding, told)
        case ["free"]:
            return _GUARD, None
        case ["events", "free", "state"] | ["events", "state"] if _only_owner_differs(there):
            return _RELOADED, None
        case _:
            return _TWO_WRONG, None


def _only_owner_differs(there: dict[str, Finding]) -> bool:
    """Whether store, guard and events agree about a place, and the owner's memory does not."""
    live, events = there["events"]["owner"], there["events"]["events"]
    on_hand, _, *aside = _kept(there["state"]["store"])
    free = there.get("free")
    guard_off = 0 if free is None else int(free["owner"] or 0) - int(free["store"] or 0)
    return [on_hand, *aside] == list(events) and live[0] - events[0] == guard_off


def _silent(told: dict[str, Any]) -> str | None:
    """Why the events say nothing of a shard's stock, or None where they do."""
    if not told:
        return _UNASKED
    if told["source"] == "nothing":
        return _NO_BASE
    return _CHAIN if told["broken"] else None


def _of_events(finding: Finding, told: dict[str, Any]) -> tuple[str, Any]:
    live, events = finding["owner"], finding["events"]
    if list(live[1:]) != list(events[1:]):
        return _NOT_SOLD, None
    advice = (
        f"owner and store say {live[0]} units, the events {events[0]}{_last(finding)}: a count of "
        f"{events[0]} puts that right; if the shelf says otherwise, count what is there"
    )
    return advice, _count(finding, told, events[0], abs(live[0] - events[0]))


def _last(finding: Finding) -> str:
    seq = finding["last_seq"]
    return "" if seq is None else f" since seq {seq}"


def _of_state(finding: Finding, told: dict[str, Any]) -> tuple[str, Any]:
    if finding["owner"] is None:
        return _of_ghost(finding, told)
    owner, store = _kept(finding["owner"]), _kept(finding["store"])
    units = max(abs(mine - theirs) for mine, theirs in zip(owner, store, strict=True))
    on_hand = finding["events"][0]
    advice = (
        f"owner and events say {on_hand} units, the store's copy says something else, and would "
        "be loaded at the next start: the same count again writes it anew"
    )
    return advice, _count(finding, told, on_hand, units)


def _of_ghost(finding: Finding, told: dict[str, Any]) -> tuple[str, Any]:
    """A position that only the store has."""
    backing = _backing(finding)
    if any(told["stock"].get(backing, ())) or backing not in told["countable"]:
        return _GHOST, None
    advice = (
        "the store has a position that neither owner nor events know, and that would be loaded at "
        "the next start: a count of 0 writes it anew; if the shelf says otherwise, count that"
    )
    return advice, _count(finding, told, 0, max(1, *_kept(finding["store"])))


def _kept(shown: str | None) -> list[int]:
    """on_hand, safety stock, quarantined and damaged of a position as it is shown; else zeros."""
    try:
        members = unpack(bytes.fromhex(shown or ""))
    except ValueError:  # Somebody's hand: no MessagePack at all.
        members = None
    known = members if isinstance(members, list) else []
    numbers = [member if isinstance(member, int) else 0 for member in known[:4]]
    return numbers + [0] * (4 - len(numbers))


def _count(finding: Finding, told: dict[str, Any], on_hand: int, units: int) -> dict[str, Any]:
    """A count of one position; ``units``: by how many the copies differ there."""
    found = [_backing(finding), finding["kind"], finding["owner"], finding["store"]]
    named = blake2b(repr((found, finding["last_seq"])).encode(), digest_size=12).hexdigest()
    return {
        "reference": f"audit-{finding['shard']}-{named}", "sku": finding["sku"],
        "node": finding["node"], "on_hand": on_hand, "as_of_ms": told["at_ms"], "units": units,
    }  # fmt: skip


def _of_record(finding: Finding, told: dict[str, Any]) -> tuple[str, Any]:
    """A reservation or piece that owner and store do not have alike."""
    held = _held(finding, told)
    if held is not None:
        advice = (
            f"owner and events (seq {finding['last_seq']}) agree on this hold, the store's copy is "
            "missing or another: extending it by less than it has writes it anew"
        )
        return advice, held
    return _of_other_record(finding, told), None


def _held(finding: Finding, told: dict[str, Any]) -> dict[str, Any] | None:
    """The repair of a hold that the owner has as the events left it, with time left."""
    seen = told.get("seen", {}).get(finding["reservation"])
    if _silent(told) is not None or seen is None or not seen[2] or finding["owner"] is None:
        return None
    record = Reservation(bytes.fromhex(finding["owner"]))
    left_ms = record.expires_at_ms - told["at_ms"]
    if finding["reservation"][0] == PIECE or record.status is not Status.HELD:
        return None
    if left_ms < _LEFT_MS:
        return None  # It ends, which moves it to where it is not looked for.
    units = sum(count for *_, count in record.backings())
    return {"reservation": reservation_id(finding["shard"], finding["reservation"]), "units": units}


def _of_other_record(finding: Finding, told: dict[str, Any]) -> str:
    said = finding["events"]
    touched = f"the events have {said} at seq {finding['last_seq']} last"
    if said is None:
        touched = _silent(told) or "the events that are kept do not name it"
    if finding["store"] is None:
        return (
            f"acknowledged by the owner and missing in the store; {touched}: keep the host running "
            "and extend, confirm or release it, which writes it anew; nothing is mended unasked, "
            "since buyers hear of it"
        )
    if finding["owner"] is None:
        return (
            f"in the store and unknown to the owner; {touched}: stop `tidegate up`, remove the "
            "field of the shard's `reservations` if nobody was told of it, and start again"
        )
    return (
        f"the store has another record than the owner; {touched}: extend, confirm or release it, "
        "which writes the owner's anew, or start `tidegate up` anew to take the store's"
    )
