"""Stacks: the settings of an environment and the order of its layers."""
