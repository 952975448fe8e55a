"""The embedded cluster: a real control plane on one machine, without root and without containers."""
