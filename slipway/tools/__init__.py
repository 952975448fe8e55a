"""The pinned tools of the lab and the charts: how they are built and found."""
