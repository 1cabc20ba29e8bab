"""Orders that leave in the same parcels: one customer's, to one zone, over one channel."""

from collections.abc import Sequence

import numpy as np

from actors.waves.touching import Order
from engine.record import CHANNEL, CUSTOMER, ZONE
from solver.problem import Ints


def parties(orders: Sequence[Order], *, merge: bool) -> Ints:
    """The party (from 0, in the order they come) of each order: itself alone, or its customer's.

    An order without a customer is a party of its own.
    """
    numbers: dict[object, int] = {}
    found = []
    for at, order in enumerate(orders):
        extra = order.reservation.extra
        party: object = at
        if merge and CUSTOMER in extra:
            party = (extra[CUSTOMER], extra[ZONE], extra.get(CHANNEL))
        found.append(numbers.setdefault(party, len(numbers)))
    return np.array(found, np.int64)


def heads(party: Ints) -> Ints:
    """The first order of each party."""
    return np.unique(party, return_index=True)[1].astype(np.int64)
