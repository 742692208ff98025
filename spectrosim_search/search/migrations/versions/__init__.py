"""One module a change, in the order of their `down_revision`."""
