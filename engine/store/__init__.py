"""Where the ledgers are kept; the only place that knows Redis.

* ``protocol`` what an owner asks of a store, ``memory`` the same as an executable specification
* ``redis`` the real one: ``wire`` carries commits, ``functions/tidegate.lua`` is the server's half
* ``keys`` the key schema, ``setup`` founding and the function library, ``checks`` what a server
  must be like
* ``server`` starts a Valkey or Redis server of our own
"""
