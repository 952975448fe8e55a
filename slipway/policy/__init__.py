"""Policies of what may run: a preview checks a plan against them, Kyverno the cluster."""
