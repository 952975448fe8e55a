"""E: nothing; what is left is the start of the engine, of the language host, and of the SDK."""

import pulumi  # noqa: F401
