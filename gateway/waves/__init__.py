"""Waves as people look at them: summed up, drawn, compared, written to files and read from them."""
