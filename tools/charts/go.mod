module slipway.dev/tools/charts

go 1.26.0

// Only files are taken from these: charts, manifests, definitions.
require (
	github.com/argoproj/argo-cd/v3 v3.1.0
	github.com/cert-manager/cert-manager v1.19.2
	github.com/external-secrets/external-secrets v1.3.2
	github.com/fluxcd/flagger v1.41.0
	github.com/kserve/kserve v0.20.0
	// The version that Kyverno's own go.mod names.
	github.com/kyverno/api v0.0.1-alpha.3.0.20260723090831-fb2785727f98
	github.com/kyverno/kyverno v1.19.1
	github.com/vmware-tanzu/velero v1.18.3
	github.com/traefik/traefik/v3 v3.6.0
	sigs.k8s.io/gateway-api v1.4.1
)
