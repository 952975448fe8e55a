"""Clients of the services that Slipway talks to: Kubernetes, Prometheus, inference servers and image registries."""
