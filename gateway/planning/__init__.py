"""Plans from a shop's files: what to order, what to move, and how it is carried out."""
