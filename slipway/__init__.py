"""Slipway: from a registered model to a pinned, canaried service."""
