"""A real retailer to try Tidegate with: The Complete Journey, one year of 2,469 households.

``columns`` reads the parquet files, ``journey`` makes articles, nodes, stock and baskets of them,
``load`` puts them into a running gateway, ``pipe`` is the HTTP connection that does it.
"""
