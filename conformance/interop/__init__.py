"""A directory prepared by one server and served by another: what both show of it."""
