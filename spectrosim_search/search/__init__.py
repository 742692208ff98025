"""How the best is found: space, study, ladder, driver, workers, store."""
