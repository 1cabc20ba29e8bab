"""Waves: the open orders of all shards, planned together, and moved to where the plan has them.

``gathering`` reads orders and stock from the shards, ``problem`` makes a solver's problem of them,
``moves`` what a plan changes, ``wave`` runs one from beginning to end, ``desk`` keeps them.
"""
