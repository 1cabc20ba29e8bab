"""Files of a shop's data into a running gateway: read in a stream, sent in repeatable portions.

* ``rows`` a CSV or Parquet file as rows with their line numbers
* ``kinds`` what a row of each kind of file is, and what is wrong with one that is none
* ``run`` portions with references of their own, so that a file may be imported again or go on
"""
