"""Many orders at once: problems in, plans out. The only folder that imports OR-Tools.

Everything here is a pure function of what it is given (a seed included): nothing is read from a
store, nothing is written, no clock but the one that bounds a search.
"""
