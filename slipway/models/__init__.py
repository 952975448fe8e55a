"""The records of a model: spec, release, pins and digest."""
