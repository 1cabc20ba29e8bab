"""Who owns which shard, and how commands reach the owners; the only folder that imports Ray.

* ``supervisor`` starts and watches hosts and alone assigns shards; ``shard_map`` who owns what
* ``host`` is a process that owns some shards: for each an ``owner``, which has ``jobs`` decided
  (``deciding``), commits them and keeps their ``history``; ``recovery`` of its working copy,
  ``telemetry``; ``chores`` that nobody asks for, among them ``news`` for pieces and the ``clocks``
* ``shard_host`` that process as an actor, ``cluster`` Ray on this machine, ``ray_environment``
  what Ray must find there
* ``client`` is the gateway's only door: ``batching`` gathers commands for an owner; batches go by
  ``lane`` (sockets) or ``ray_line``
* what takes more than one command: ``sagas`` (reservations over several shards), ``stockroom``
  (the network, adjustments), ``campaigns`` with the ``keeper`` that finishes their steps,
  ``supplies`` with the ``arrivals`` that receipts leave to do, ``promising`` (baskets), ``feed``
  (events) and what of them is ``shown``, ``audit`` with ``books`` and ``reused`` (keys)
* what all processes share: ``logs``, ``counts`` of the gateway's workers, ``queues`` of stores that
  prepare what is collected, the garbage ``collector``

Hosts and gateways are told apart by who starts them, never by code: any of them may be in one
process, as they are in tests.
"""
