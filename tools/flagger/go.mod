module slipway.dev/tools/flagger

go 1.26.0
