"""Typed settings of a stack: one module for each domain, composed in `environment`; none imports a compiler.

No module with settings has `from __future__ import annotations`: pydantic would parse each annotation again, a third of
the time of the import.
"""
