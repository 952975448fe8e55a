"""Small kubelet that runs containers as local processes.

It keeps the contract that controllers rely on (addresses, volumes, environment, probes, restarts, termination, status,
tokens of service accounts, Services by address and by name) with Linux namespaces alone. It does not pull images, limit
processor time or apply security contexts: a table maps each image to a local command and its Python environment. Memory
limits are enforced by measuring (memory.py).
"""
