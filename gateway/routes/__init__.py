"""The routes behind the door, by what they are about. Each takes an ``Ask`` and answers it.

``nodes`` and ``skus`` define, ``stock`` adjusts and reads, ``reservations`` has what is rarely
asked of one, ``events`` is the feed, ``operations`` looks after the engine, ``pages`` are for
people.
"""
