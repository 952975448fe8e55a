"""Embedded cluster: a real control plane on one machine, without root or containers."""
