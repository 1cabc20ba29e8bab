"""Relatives of a wave with published optima: proof that what solves waves solves what is known.

``generalised_assignment`` and ``warehouse_location``, each with a bound by an ``ascent`` of prices;
``knapsack`` what one agent takes, ``watched`` a program in a process that can be ended.
"""
