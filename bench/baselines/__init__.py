"""What one would build instead, measured in the same run on the same machine.

* ``store``        a plain store for them: the product's own binary, the same fsync level
* ``fastapi_lua``  the usual way: a web framework and one script call a request
* ``raw_lua``      the same script without a web layer: what the store alone gives
* ``postgres``     a row update and an insert in one transaction
"""
