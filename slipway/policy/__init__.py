"""What may run: rules that the preview holds a plan to, as Kyverno holds the cluster to them."""
