"""The plan of an environment, shared by `slipway plan`, `slipway render`, `preview` and `up`."""
