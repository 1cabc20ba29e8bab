"""Every operation of the API: what routes, the API description and tests go by.

A module for each topic; it may also hold the bodies and answers that only its topic has.
"""

from typing import Final

from gateway.contract.bundles import BUNDLES
from gateway.contract.campaigns import CAMPAIGNS
from gateway.contract.network import NETWORK
from gateway.contract.operation import ID_SCHEMA, Answer, Operation, Parameter
from gateway.contract.operations import RUNNING
from gateway.contract.prices import PRICES
from gateway.contract.promise import PROMISE
from gateway.contract.quotas import QUOTAS
from gateway.contract.reservations import RESERVATIONS
from gateway.contract.stock import STOCK
from gateway.contract.supplies import SUPPLIES
from gateway.contract.waiting import WAITING
from gateway.contract.waves import WAVES

__all__ = ["ID_SCHEMA", "OPERATIONS", "Answer", "Operation", "Parameter"]

OPERATIONS: Final = (
    *RESERVATIONS,
    *STOCK,
    *BUNDLES,
    *NETWORK,
    *PROMISE,
    *SUPPLIES,
    *WAITING,
    *QUOTAS,
    *CAMPAIGNS,
    *WAVES,
    *PRICES,
    *RUNNING,
)
