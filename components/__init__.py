"""Pulumi components: thin, they take compiled manifests."""
