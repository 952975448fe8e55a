"""Stand-in for Pulumi's Kubernetes plugin where the official one cannot be installed.

It serves the plugin's gRPC contract to the real engine, against a real API server. It is for the lab: `choice` decides
when it is used, prints that, and prefers the official plugin wherever it is installed.

It differs from pulumi-kubernetes 4.34 on purpose in these points:

- Fields unknown to the API server are refused (strict field validation), in previews too; the official one drops them
  with a warning at most.
- A resource's field manager is derived from its URN, not random. So an `up` that was killed before it wrote its state
  goes on as the same owner.
- A preview of an update reports conflicts with other field managers; the official one reports them at `up`.
- A conflict leaves the state as it was; the official one stores the new inputs with an error.
- Only conditions of `pulumi.com/waitFor` are awaited, besides Deployments (rolled out). Services are not awaited: the
  official plugin would wait for endpoints, but a headless Service for a future version has none.
- CustomResourceDefinitions are updated by apply like the rest (the official one puts them), a refresh waits for
  nothing, and a changed `pulumi.com/patchFieldManager` leaves its fields with the old manager too.
- Quantities are compared as they are written ("1", not "1000m").
- No rendering to YAML, no Helm, no Patch kinds, no `List` kinds, no functions (invokes): each is refused by name.
"""
