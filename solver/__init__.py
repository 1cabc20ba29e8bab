"""Many orders at once: problems in, plans out. The only folder that imports OR-Tools.

Everything here is a pure function of what it is given (a seed included): nothing is read from a
store, nothing is written, no clock but the one that bounds a search.

* ``problem`` a wave as arrays, ``plan`` what comes of it, ``check`` judges it apart from the rest;
  ``costs`` of parcels and lines; ``saved`` and ``case`` are files
* ``solve`` goes the ``whole`` way or another: ``candidates`` and ``choices`` of orders, ``prices``
  and ``pricing`` of patterns, ``greedy``, ``columns`` of a linear program, ``rounding``, ``blocks``
  and ``parts`` of a ``search`` among a ``crew`` of processes, ``bound`` of them all; over thousands
  of nodes ``able``, ``tables`` and ``subsets``
* ``repair`` mends a plan after an event, ``residual`` is what others leave; ``bids`` prices for
  orders still to come
* ``mip`` is the door to OR-Tools, ``compact`` the usual model, to compare with
* ``planning/`` what to order and what to move, ``published/`` relatives with known optima
"""
