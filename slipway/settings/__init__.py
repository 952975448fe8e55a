"""The typed settings of a stack: one module a domain, composed in `environment`. Nothing here imports a compiler."""
