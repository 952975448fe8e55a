"""Compilers of the systems that an environment installs into its cluster."""
