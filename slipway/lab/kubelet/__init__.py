"""A small kubelet that runs containers as local processes.

It keeps the contract that controllers rely on (addresses, volumes, env, probes, restarts, termination, status, tokens
of service accounts, Services by address, by name) with Linux namespaces alone. It does not pull images, limit
processor time or honour security contexts: an image is a name in a table that says which command and which Python
environment it stands for. Memory limits hold as far as measuring can make them hold (memory.py).
"""
