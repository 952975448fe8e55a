"""What stands under the models: the systems that an environment installs into its cluster, as plain objects."""
