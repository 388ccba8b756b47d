"""Agents and how they are trained."""
