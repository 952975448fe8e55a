"""The typed settings of a stack: one module a domain, composed in `environment`. Nothing here imports a compiler.

Annotations are evaluated as each class is made, so no module here has `from __future__ import annotations`: pydantic
would parse each of them again, a third of what importing the settings takes.
"""
