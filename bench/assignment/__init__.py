"""Waves of orders assigned to nodes: ours against the rules that are in use, judged alike."""
