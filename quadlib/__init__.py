"""The thin floor under the notebooks: a Minitaur that learns to run."""
