"""The search for good settings, from a laptop to a cluster."""
