"""Sequences, tasks, hooks and checkpoints."""
