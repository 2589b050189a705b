// Package clients is what a Kafka or MQTT client needs before it sends or reads:
// TLS and SASL settings and what becomes of them, addresses, and connections
// that a context can end. What sends is in package sinks, what reads in package
// sources.
package clients
