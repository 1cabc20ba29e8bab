"""Published problems with known optima: what the solver's parts are held to, file by file."""
