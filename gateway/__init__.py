"""HTTP and the command line: translates between callers and shards, never decides.

The way in: ``server`` runs ``hot_door`` (HTTP/1.1 at the socket) and ``app`` (everything else) on
one port. Requests are read by ``schema`` and ``reading``, turned into commands by ``requests``,
let in by ``intake`` (load, ``keys``, ``hints``), and answered by ``answers`` and ``problems``.

============== ==================================================================
hot_door       reads requests; hot ones stay, the others go to the application
hot_turns      answers leave in the order of the requests
hot_routes     what each hot route does; ``hot_batch``, ``hot_availability``
cold, routes/  the same for what is not in a hurry
contract/      every operation by topic: ``openapi`` and the page are made of it
views, hints   what owners have said lately: availability, sold out; ``network_view`` of pools,
               zones, channels and ``bundles``
worker, up     processes; ``settings``, ``metrics``
waves/         what is shown of a wave: its page, its tables, two side by side; ``svg`` draws
cli*           ``tidegate``; ``importing/`` reads files, ``sample/`` is the retailer it can load,
               both go through ``sending`` and its ``pipe``; ``planning/`` orders and transfers
============== ==================================================================
"""
