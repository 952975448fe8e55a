"""Being here, it puts this directory on the path: tests import what they share, as `builders`."""
