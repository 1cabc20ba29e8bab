"""Quotas, campaigns, carts and dated counts against plain sums: who can be served is."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine import commands
from engine.commands import Command, shares
from engine.outcome import Outcome
from engine.record import CAMPAIGN, CHANNEL, CUSTOMER, SUPERSEDES, Reservation
from engine.stock import Terms
from tests.builders import NOW_MS, adjust, fresh, fulfil, reserve, stocked_ledger
from tests.property.selling_model import Right, SellingModel, Taken

NODES = ("w1", "w2", "w3")
HOLD_MS = 10**9
NODE = st.sampled_from(NODES)
CHANNELS = ("c:live", "c:shop")
CAMPAIGNS = ("m:drop", "m:sale")
SHARE = st.sampled_from((None, *CHANNELS, *CAMPAIGNS))
CUSTOMERS = st.sampled_from((None, "ann", "bob"))
UNITS = st.integers(1, 5)


class SellingMachine(RuleBasedStateMachine):
    """The same steps for the ledger and the model."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = NOW_MS
        self.ledger = stocked_ledger({"A": dict.fromkeys(NODES, 8)})
        self.model = SellingModel(dict.fromkeys(NODES, 8), moves=[(n, NOW_MS, 8) for n in NODES])
        self.sealed = deepcopy(self.model)

    def ask(self, command: Command) -> Any:
        """The ledger's answer."""
        return self.ledger.decide(command, self.now_ms)

    # Reservations

    @rule(share=SHARE, customer=CUSTOMERS, units=UNITS)
    def reserve(self, share: str | None, customer: str | None, units: int) -> None:
        self.held(fresh("k"), share, customer, units, {})

    @precondition(lambda self: self.model.taken)
    @rule(units=UNITS, share=SHARE, which=st.integers(0, 9))
    def supersede(self, units: int, share: str | None, which: int) -> None:
        """A cart has another version: it stands on the units of the last one, or that stays."""
        held = [key for key, at in self.model.taken.items() if at.state == "held"]
        if held:
            old = held[which % len(held)]
            before = self.model.taken.pop(old)
            if not self.held(fresh("k"), share, before.customer, units, {SUPERSEDES: old}):
                self.model.taken[old] = before

    def held(
        self, key: str, share: str | None, customer: str | None, units: int, extra: dict[str, Any]
    ) -> bool:
        """Whether it could be had; it is if the sums say so."""
        model = self.model
        if share is not None:
            extra |= {CAMPAIGN if share in CAMPAIGNS else CHANNEL: share[2:]}
        if customer is not None:
            extra |= {CUSTOMER: customer}
        expected = model.refusal(share, customer, units)
        enough = model.is_enough()
        if not expected:
            expected = "OK" if units <= model.sellable(share) else "SHORT"
        reply = self.ask(reserve(key, ("A", units), hold_ms=HOLD_MS, **extra))
        if enough or expected not in ("OK", "SHORT"):
            assert Outcome(reply[0]).name == expected, reply
        if reply[0] != Outcome.OK:
            return False
        line = Reservation(reply[1]).lines[0]
        backings = dict(zip(line[3::2], line[4::2], strict=True))
        assert sum(backings.values()) == units
        model.taken[key] = Taken(share, customer, backings)
        return True

    @precondition(lambda self: self.model.taken)
    @rule(verb=st.sampled_from(("confirm", "release", "cancel", "ship")), which=st.integers(0, 9))
    def go_on(self, verb: str, which: int) -> None:
        """It is paid, given back, or leaves."""
        wanted = {"confirm": "held", "release": "held"}.get(verb, "confirmed")
        known = [key for key, at in self.model.taken.items() if at.state == wanted]
        if not known:
            return
        key = known[which % len(known)]
        taken = self.model.taken[key]
        if verb == "ship":
            self.ship(key, taken)
            return
        command: Command = getattr(commands, verb)(key)
        assert self.ask(command)[0] == Outcome.OK
        if verb == "confirm":
            taken.state = "confirmed"
        else:
            del self.model.taken[key]

    def ship(self, key: str, taken: Taken) -> None:
        """All of it, if it is on hand."""
        model = self.model
        there = all(model.on_hand[node] >= units for node, units in taken.units.items())
        assert self.ask(fulfil(key, "p"))[0] == (Outcome.OK if there else Outcome.SHORT)
        if not there:
            return
        taken.state = "shipped"
        for node, units in taken.units.items():
            model.on_hand[node] -= units
            model.moves.append((node, self.now_ms, -units))
        if taken.share is None or taken.share not in model.rights:
            del model.taken[key]  # Of a channel nobody has set anything for nothing is kept.

    # Rights

    @rule(name=st.sampled_from(CHANNELS), exclusive=st.integers(0, 9),
          cap=st.sampled_from((None, None, 4, 20)))  # fmt: skip
    def set_quota(self, name: str, exclusive: int, cap: int | None) -> None:
        model = self.model
        known = model.rights.get(name, Right(0))
        wanted = Right(exclusive, cap)
        after = deepcopy(model)
        after.rights[name] = wanted
        fits = exclusive <= known.exclusive or after.is_enough()
        enough = model.is_enough()
        reply = self.ask(shares.set_quota("A", name[2:], [exclusive, cap, 0, None]))
        if enough:
            assert (reply[0] == Outcome.OK) == fits, reply
        if reply[0] == Outcome.OK:
            model.rights[name] = wanted

    @rule(name=st.sampled_from(CAMPAIGNS), units=st.integers(1, 9),
          limit=st.sampled_from((None, 4)))  # fmt: skip
    def open_campaign(self, name: str, units: int, limit: int | None) -> None:
        model = self.model
        if name in model.rights:
            return
        after = deepcopy(model)
        after.rights[name] = Right(units, limit=limit)
        enough = model.is_enough()
        terms = Terms(defined=True, ends_at_ms=2**50, limit=limit)
        reply = self.ask(shares.open_campaign(name[2:], list(terms), [["A", units]]))
        if enough:
            assert (reply[0] == Outcome.OK) == after.is_enough(), reply
        if reply[0] == Outcome.OK:
            model.rights[name] = after.rights[name]

    @rule(name=st.sampled_from(CAMPAIGNS))
    def close_campaign(self, name: str) -> None:
        assert self.ask(shares.close_campaign(name[2:], ["A"]))[0] == Outcome.OK
        if name in self.model.rights:
            self.model.rights[name].is_open = False

    # The world

    @rule(node=NODE, units=st.integers(-3, 6))
    def receive(self, node: str, units: int) -> None:
        model = self.model
        there = model.on_hand[node] + units >= 0
        reply = self.ask(adjust(("A", node, units)))
        assert (reply[1][0] == "A") == there
        if there:
            model.on_hand[node] += units
            model.moves.append((node, self.now_ms, units))

    @rule(node=NODE, units=st.integers(0, 10), back_ms=st.sampled_from((None, 0, 1_000, 90_000)))
    def count(self, node: str, units: int, back_ms: int | None) -> None:
        """As of now, or of a time before."""
        as_of_ms = None if back_ms is None else self.now_ms - back_ms
        after = self.model.counted(node, units, as_of_ms)
        self.ask(adjust(("A", node, None, units, None, "count", as_of_ms, None)))
        self.model.on_hand[node] = after

    @rule(step_ms=st.sampled_from((1, 1_000, 60_000)))
    def time_moves(self, step_ms: int) -> None:
        self.now_ms += step_ms

    # Batches

    @rule()
    def seal(self) -> None:
        self.ledger.seal()
        self.sealed = deepcopy(self.model)

    @rule()
    def refuse(self) -> None:
        """The store does not take the batch."""
        self.ledger.take_back(None)
        self.model = deepcopy(self.sealed)

    # What must hold

    @invariant()
    def books_agree(self) -> None:
        model, book = self.model, self.ledger.books["A"]
        for node, position in book.positions.items():
            assert position.on_hand == model.on_hand[node], node
            assert position.reserved == model.promised(node, "held"), node
            assert position.committed == model.promised(node, "confirmed"), node
            assert position.shortfall == max(0, -model.free(node)), node
        for name, right in model.rights.items():
            share = book.shares[name]
            assert share.exclusive == right.exclusive, name
            states = ("held", "confirmed", "shipped")
            told = (share.held, share.confirmed, share.shipped)
            assert told == tuple(model.taken_by(name, state) for state in states), name
            assert share.left == model.left(name), name
            assert share.placed == share.left or not model.is_enough(), name


def run(examples: int, steps: int) -> None:
    """So many examples of so many steps each."""
    run_state_machine_as_test(
        SellingMachine,
        settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None),
    )


def test_who_can_be_served_is() -> None:
    """Within seconds."""
    run(200, 40)


@pytest.mark.slow
def test_who_can_be_served_is_for_long() -> None:
    """The same, longer and more often."""
    run(2_000, 80)
