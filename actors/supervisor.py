"""The only one that assigns shards: starts hosts, watches them, moves shards, tells everybody.

A host that is silent is replaced: its shards are assigned to others first, it is killed later
(a frozen process takes seconds to kill, and the store fences it anyway).
"""

import asyncio
import contextlib
import secrets
import time
from asyncio import Future
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

import msgpack
import structlog

from actors.counts import Totals
from actors.lane import LaneLine, LaneServer, Respond, connect
from actors.queues import Board
from actors.shard_map import ShardMap
from engine.errors import StoreLost, StoreRefused, TidegateError
from engine.limits import HEALTH_EVERY_MS, HEALTH_SILENCE_MS
from engine.record import Durability
from engine.store.protocol import Right

log = structlog.get_logger()

_TOKEN_BYTES: Final = 8
_POLL_S: Final = 20.0
_ASSIGN_AGAIN_S: Final = 0.25


class HostLost(TidegateError):
    """A host's process has ended or does not answer."""


class Host(Protocol):
    """A shard host's process, as the supervisor handles it. Calls raise ``HostLost``."""

    name: str
    address: str

    async def started(self) -> None:
        """Wait until it serves its lane."""
        ...

    async def assign(self, right: Right, term: int) -> None:
        """Own a shard; raises what the store refuses."""
        ...

    async def release(self, shard: int) -> None:
        """Give a shard up in order."""
        ...

    async def health(self) -> dict[str, Any]:
        """What it does at the moment."""
        ...

    async def stop(self) -> None:
        """End in order."""
        ...

    def kill(self) -> None:
        """End at once."""
        ...


class Supervisor:
    """Hosts and the shard map of one store."""

    def __init__(
        self,
        shards: int,
        level: Durability,
        control: Path,
        spawn: Callable[[str], Host],
        *,
        hosts: int,
    ) -> None:
        self.shards = shards
        self.map = ShardMap(1, (None,) * (shards + 1), {})
        self._level = level
        self._spawn = spawn
        self._wanted = hosts
        self._hosts: dict[str, Host] = {}
        self._lines: dict[str, LaneLine] = {}
        #: When the oldest question to each host was asked that has no answer yet.
        self._unanswered: dict[str, float] = {}
        #: Hosts that said, when last asked, that they wait for the store.
        self._settling: set[str] = set()
        self._names = 0
        self._starting = 0
        #: A supervisor that started later than this one has a greater term.
        self._term = time.time_ns() // 1_000_000
        self._epoch = 0
        self._refused_by_term = False
        self._lane = LaneServer(control, self._serve)
        self._totals = Totals()
        self._queues = Board()
        self._changed: list[Future[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._assigning: set[int] = set()
        self._state = "starting"

    # Life

    async def start(self) -> None:
        """Start the hosts and assign all shards; ready when this returns."""
        await self._lane.start()
        await asyncio.gather(*(self._add_host() for _ in range(self._wanted)))
        names = sorted(self._hosts)
        await asyncio.gather(
            *(self._assign(shard, names[shard % len(names)]) for shard in range(self.shards + 1))
        )
        self._state = "serving"
        self._publish(self.map.owners)
        self._background(self._watch())

    async def stop(self) -> None:
        """Stop watching, let the hosts give their shards back, end them."""
        self._state = "stopping"
        self._publish(self.map.owners)
        for line in self._lines.values():
            line.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(self._stop_host(host) for host in self._hosts.values()))
        await self._lane.stop()

    async def _stop_host(self, host: Host) -> None:
        with contextlib.suppress(HostLost, TimeoutError):
            async with asyncio.timeout(5):
                await host.stop()
        host.kill()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("supervision failed", error=repr(task.exception()))

    # Hosts

    async def _add_host(self) -> str:
        name = f"host-{self._names}"
        self._names += 1
        host = self._spawn(name)
        self._starting += 1
        try:
            await host.started()
            # The system closes a dead process' sockets at once; Ray tells of its end later.
            self._lines[name] = await connect(
                host.address, lambda: self._background(self._replace(name, "ended"))
            )
        except BaseException:
            host.kill()
            raise
        finally:
            self._starting -= 1
        self._hosts[name] = host
        addresses = {**self.map.addresses, name: host.address}
        self.map = ShardMap(self.map.version + 1, self.map.owners, addresses)
        self._tell_all()
        return name

    async def _watch(self) -> None:
        """Ask every host; who has been silent for too long is replaced.

        When this process itself was kept waiting, the machine was busy, not the hosts: then the
        clock of everybody's silence starts anew.
        """
        before = time.monotonic()
        while True:
            await asyncio.sleep(HEALTH_EVERY_MS / 1000)
            now = time.monotonic()
            if now - before > 2 * HEALTH_EVERY_MS / 1000:
                self._unanswered.clear()
            before = now
            self._adopt()
            self._background(self._fill_up())  # The last one may not even have started.
            for name, host in list(self._hosts.items()):
                asked = self._unanswered.setdefault(name, now)
                if now - asked > HEALTH_SILENCE_MS / 1000:
                    self._background(self._replace(name, "silent"))
                else:
                    self._background(self._ask(name, host))

    def _adopt(self) -> None:
        """Assign what nobody owns: its host died, and the one it was meant for died too."""
        names = sorted(self._hosts)
        for shard, owner in enumerate(self.map.owners):
            if names and owner not in self._hosts and shard not in self._assigning:
                self._background(self._assign(shard, names[shard % len(names)]))

    async def _ask(self, name: str, host: Host) -> None:
        version = self.map.version
        try:
            async with asyncio.timeout(HEALTH_SILENCE_MS / 1000):
                health = await host.health()
        except TimeoutError:
            return
        except HostLost:
            await self._replace(name, "ended")
            return
        self._unanswered.pop(name, None)
        if name not in self._hosts:
            return
        told_of_this_map = self.map.version == version
        self._note_settling(name, settling=health["settling"])
        if told_of_this_map and not health["settling"]:
            self._assign_lost(name, {*health["shards"], *health["recovering"]})

    def _assign_lost(self, name: str, served: set[int]) -> None:
        """Assign anew what a host should own and does not."""
        for shard, owner in enumerate(self.map.owners):
            if owner == name and shard not in served and shard not in self._assigning:
                self._background(self._assign(shard, name))

    def _note_settling(self, name: str, *, settling: bool) -> None:
        """Tell everybody when a host begins to wait for the store, and when it has it back."""
        if settling != (name in self._settling):
            self._settling ^= {name}
            self._publish(self.map.owners)

    async def _replace(self, name: str, reason: str) -> None:
        """Assign a lost host's shards to others first; end it and start another one then."""
        if self._state != "serving" or name not in self._hosts:
            return
        host = self._hosts.pop(name)
        self._unanswered.pop(name, None)
        self._settling.discard(name)
        self._lines.pop(name).close()
        log.warning("replacing a host", host=name, reason=reason)
        orphans = [shard for shard, owner in enumerate(self.map.owners) if owner == name]
        addresses = {n: a for n, a in self.map.addresses.items() if n != name}
        owners = tuple(None if owner == name else owner for owner in self.map.owners)
        self.map = ShardMap(self.map.version + 1, owners, addresses)
        self._tell_all()
        others = sorted(self._hosts) or [await self._add_host()]
        await asyncio.gather(
            *(self._assign(shard, others[n % len(others)]) for n, shard in enumerate(orphans))
        )
        host.kill()
        await self._fill_up()

    async def _fill_up(self) -> None:
        """One more host and its share of the shards, if one is missing.

        Counted here, with no pause before the start is counted too: whoever looks and lets start
        later starts two for one.
        """
        if len(self._hosts) + self._starting < self._wanted:
            await self._level_out(await self._add_host())

    async def _level_out(self, fresh: str) -> None:
        """Move shards in order to a new host until it has its share."""
        share = len(self.map.owners) // max(1, len(self._hosts))
        for _ in range(share):
            owned = [owner for owner in self.map.owners if owner]
            fullest = max(self._hosts, key=lambda name: (owned.count(name), name))
            if owned.count(fullest) - owned.count(fresh) < 2:
                return
            await self.move(max(s for s, o in enumerate(self.map.owners) if o == fullest), fresh)

    # Shards

    def _new_right(self, shard: int) -> Right:
        """A right nobody had before: epochs grow with the clock, over any store."""
        self._epoch = max(self._epoch + 1, time.time_ns() // 1_000_000)
        return Right(shard, self._epoch, secrets.token_hex(_TOKEN_BYTES))

    async def _assign(self, shard: int, name: str) -> None:
        """Let a host own a shard, trying again while the store is away."""
        self._assigning.add(shard)
        try:
            while not self._refused_by_term and name in self._hosts:
                try:
                    await self._hosts[name].assign(self._new_right(shard), self._term)
                except HostLost:
                    return  # Its end is noticed by whoever watches it.
                except StoreRefused as error:
                    self._refused(shard, error)
                except StoreLost as error:
                    log.warning("the store is away", shard=shard, reason=str(error))
                else:
                    self._set_owner(shard, name)
                    return
                await asyncio.sleep(_ASSIGN_AGAIN_S)
        finally:
            self._assigning.discard(shard)

    def _refused(self, shard: int, error: StoreRefused) -> None:
        if error.code == "EPOCH":
            self._epoch = max(self._epoch, int(error.detail))
        elif error.code == "TERM" and self._state == "starting":
            # The last one's clock was ahead of ours: whoever starts now rules all the same.
            self._term = max(self._term, int(error.detail) + 1)
        elif error.code == "TERM":
            log.error("another supervisor rules this store: assigning no more", shard=shard)
            self._refused_by_term = True
            self._tell_all()
        else:
            log.error("a shard cannot be assigned", shard=shard, reason=str(error))

    async def move(self, shard: int, name: str) -> None:
        """Move a shard in order: finish, release, acquire elsewhere."""
        owner = self.map.owners[shard]
        if owner is not None and owner in self._hosts:
            self._assigning.add(shard)
            # However this ends, the next owner's right ends that of the last.
            try:
                await self._hosts[owner].release(shard)
            except Exception:
                log.exception("a shard was not given up in order", shard=shard, host=owner)
        await self._assign(shard, name)

    def _set_owner(self, shard: int, name: str) -> None:
        owners = list(self.map.owners)
        owners[shard] = name
        self._publish(tuple(owners))

    # Telling

    def _publish(self, owners: tuple[str | None, ...]) -> None:
        self.map = ShardMap(self.map.version + 1, owners, self.map.addresses)
        self._tell_all()

    def _tell_all(self) -> None:
        changed, self._changed = self._changed, []
        for future in changed:
            if not future.done():
                future.set_result(None)

    def reasons(self) -> list[str]:
        """Why this cluster is not ready; empty when it is."""
        reasons = [
            f"shard {'net' if shard == self.shards else shard}: recovering"
            for shard, owner in enumerate(self.map.owners)
            if owner is None or shard in self._assigning
        ]
        reasons += [f"{name}: waiting for the store" for name in sorted(self._settling)]
        if self._state != "serving":
            reasons.append(f"supervisor: {self._state}")
        if self._refused_by_term:
            reasons.append("another Tidegate has taken this store over: stop one of the two")
        return reasons

    def _serve(self, payload: bytes, respond: Respond) -> None:
        asked = msgpack.unpackb(payload)
        if asked["m"] == "map":
            self._background(self._tell_map(asked["version"], respond))
        elif asked["m"] == "renew":
            respond(msgpack.packb(self._renew(asked["host"], asked["shards"])))
        elif asked["m"] == "counts":
            respond(msgpack.packb(self._totals.take(asked["worker"], asked["counts"])))
        elif asked["m"] == "queues":
            respond(msgpack.packb(self._queues.take(asked["told"], asked["since"])))

    async def _tell_map(self, known: int, respond: Respond) -> None:
        """Answer at once if there is news, else when there is."""
        if self.map.version == known:
            future: Future[None] = asyncio.get_running_loop().create_future()
            self._changed.append(future)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await future
        told = {
            "version": self.map.version,
            "shards": self.shards,
            "level": int(self._level),
            "reasons": self.reasons(),
            "map": self.map.packed(),
        }
        respond(msgpack.packb(told))

    def _renew(self, host: str, shards: list[int]) -> list[Any]:
        """New rights for a host's own shards, after it lost the store. Nobody else gets any.

        Whoever waits for a changed map tries again: the host answers now what was in doubt, or,
        asking for none, has loaded what it asked for before.
        """
        if self._refused_by_term:
            return []
        mine = [shard for shard in shards if self.map.owners[shard] == host]
        rights = [self._new_right(shard) for shard in mine]
        self._publish(self.map.owners)
        return [[right.shard, right.epoch, right.token] for right in rights]
