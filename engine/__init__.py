"""The domain and its store: one shard's ledger as a pure state machine, and where it is kept.

* ``commands`` what callers ask, ``outcome`` every answer, ``events`` what happened
* ``ledger`` decides; ``holds``, ``pieces``, ``fulfilment``, ``corrections``, ``network``,
  ``views`` and ``shortfalls`` are its rules, ``reservation`` the life of one as a table
* ``state`` the working copy, ``loading`` it from the store, ``stock`` positions, ``effects`` what
  a batch changed
* ``shares`` units set aside for channels and campaigns, ``accounts`` what counts in them,
  ``allowances`` what they and limits allow, ``quotas`` and ``campaigns`` how they come about
* ``supplies`` units on their way and what becomes of their promises, ``supply_names`` and
  ``rebacking`` who else must know, ``movements`` what came and went in the last day
* ``demand`` who asks and how, ``granting`` what he may have, ``sourcing`` which units serve a line,
  ``costed`` which of them for least money over ``lanes``, ``together`` those of a basket, ``bids``
  what they are worth to others, ``visible`` what a demand sees of a SKU, ``ranking`` in what order,
  ``costing`` what is told of it, ``tariff`` lanes for those who have none; ``short_way`` one line
  of a drop, quickly
* ``moving`` promises from node to node, for who plans many orders at once
* ``pickups`` when a store gets to an order that is collected there, ``to_store`` what it is sent
* ``promising`` what a basket could have, ``superseding`` a cart's new version, ``demand_log`` what
  was refused
* ``record`` a reservation as bytes, ``ids`` routing and digests, ``filter`` sold-out hints
* ``store`` the only place that knows Redis
* ``limits`` every bound, ``errors`` the faults

No Ray, no HTTP, no clock: time is a parameter.
"""
