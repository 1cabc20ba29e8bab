"""What to order and what to move between nodes, from sales: the slow side of the solver.

``sales`` become ``demand`` by SKU, region and channel (``forecast``, for whom a library forecasts);
``replenishment`` says what to order, ``rebalancing`` what to move, ``rebalancing_check`` whether
that holds; ``replay`` plays a year with it, ``worth`` is what it earned.
"""
