"""Tables that the papers printed, as cited data: a module each, found by its name."""
