module slipway.dev/tools/gateway-api

go 1.26.0
