"""Batches as Ray calls: the second way to a host, for gateways on another machine than it."""

import asyncio
import logging
from asyncio import Future
from collections.abc import Callable
from typing import Any

from actors.cluster import NAMESPACE
from actors.lane import Line, LineLost
from actors.ray_environment import prepare_environment


class RayLine:
    """A line to a host's actor."""

    def __init__(self, actor: Any, on_lost: Callable[[], None]) -> None:
        self._actor = actor
        self._on_lost = on_lost
        self._lost = False

    @property
    def lost(self) -> bool:
        """See ``Line.lost``."""
        return self._lost

    def call(self, payload: bytes) -> "Future[bytes]":
        """See ``Line.call``."""
        return asyncio.ensure_future(self._call(payload))

    async def _call(self, payload: bytes) -> bytes:
        from ray.exceptions import RayError

        try:
            answer: bytes = await self._actor.apply.remote(payload)
        except RayError as error:
            if not self._lost:
                self._lost = True
                self._on_lost()
            raise LineLost(str(error)) from error
        return answer

    def close(self) -> None:
        """Nothing is open between calls."""
        self._lost = True


def join(address: str) -> None:
    """Connect this process to a running Ray."""
    prepare_environment()
    import ray

    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace=NAMESPACE)


def open_ray(name: str, address: str, on_lost: Callable[[], None]) -> "Future[Line]":
    """A line to a host by its actor's name."""
    return asyncio.ensure_future(_open(name, on_lost))


async def _open(name: str, on_lost: Callable[[], None]) -> Line:
    import ray

    try:
        actor = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
    except ValueError as error:
        raise LineLost(str(error)) from error
    return RayLine(actor, on_lost)
