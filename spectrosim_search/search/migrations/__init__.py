"""Named, ordered changes of the project's tables; each is applied once."""
