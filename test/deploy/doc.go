// Package deploy tests what others run: alert rules, dashboards, the Helm chart, the image and the packages.
//
// It is a module of its own, so that Helm and the types of Kubernetes stay out of the gateway's dependencies. The gateway
// under test is the binary that OTELCOL_CUSTOM names.
package deploy
