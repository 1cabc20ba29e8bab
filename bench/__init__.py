"""Load from outside, baselines in the same run, and an audit before any speed is shown.

A scenario (``catalogue``) is a frozen description; its ``play`` runs it and returns a ``Run``;
runs become a report, a table, a page.

* what is sent      ``orders`` ``real_orders`` ``arrivals`` (when)
* how it is sent    ``client`` (one HTTP client for all sides) ``load`` (closed and open loops)
                    ``stub`` (what the client itself can do)
* to whom           ``product`` (``tidegate up``) ``rivals`` with ``baselines``, before and after
                    it; ``processes`` ``tree``
* what is asked     ``scenario`` ``catalogue``; ``sale`` ``doors`` ``crowd`` ``demo`` over HTTP,
                    ``through_actors`` and ``core`` without; ``cli`` with its ``arguments``
* plans, no engine  ``assignment`` of waves, ``online`` one by one, ``planning`` of stock,
                    ``library`` of published problems; ``beside_wave`` both at once
* what came of it   ``tally`` (histograms) ``audit`` (told against stored) ``figures`` (medians,
                    bounds) ``environment`` ``report`` ``page`` ``compare``

Over HTTP the product is driven as its users drive it; only ``core`` and ``through_actors`` look
behind the door.
"""
