"""Orders one by one: what the engine's choice of nodes costs, with bid prices and without."""
