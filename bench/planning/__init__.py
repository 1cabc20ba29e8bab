"""Replenishment and transfers, judged by a real year: planned on its start, replayed on its end."""
