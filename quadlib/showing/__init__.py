"""Figures, replays, live curves, sliders."""
