"""Waves: the open orders of all shards, planned together, and moved to where the plan has them.

* ``desk`` begins and keeps them: when somebody asks, or by its ``agenda`` of what hosts are
  ``noticing``; ``explain`` says why an order leaves from where it does
* ``wave`` runs one: ``gathering`` reads orders and stock from the shards, ``touching`` narrows it,
  ``problem`` makes the solver's problem and the moves of its plan, ``merging`` one customer's
  orders, ``waiting`` those who wait for a supply, ``what_if`` what a dry run supposes; ``case`` is
  its file
* ``pricing`` finds bid prices and brings them to all shards
* ``apart`` runs the solver in a process of its own
"""
