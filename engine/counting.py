"""Counts by name, where nobody is kept who has nothing."""


def add_to(counts: dict[str, int], name: str, units: int) -> None:
    """Count units under a name. Nobody is kept who has nothing.

    Units from before there was a limit were not counted, hence the floor.
    """
    after = counts.get(name, 0) + units
    if after > 0:
        counts[name] = after
    else:
        counts.pop(name, None)
