package dev

import (
	"fmt"
	"log/slog"
	"net"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
)

// MQTT is an in-memory MQTT broker that lets everybody in.
type MQTT struct {
	server  *mqtt.Server
	address string
}

// StartMQTT listens on address (host:port; port 0 picks one).
func StartMQTT(address string, log *slog.Logger) (*MQTT, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("MQTT broker: %w", err)
	}
	server := mqtt.New(&mqtt.Options{Logger: log})
	if err := serveMQTT(server, listener); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("MQTT broker: %w", err)
	}
	return &MQTT{server, listener.Addr().String()}, nil
}

func serveMQTT(server *mqtt.Server, listener net.Listener) error {
	if err := server.AddHook(new(auth.AllowHook), nil); err != nil {
		return err
	}
	if err := server.AddListener(MQTTListener("dev", listener)); err != nil {
		return err
	}
	return server.Serve() // returns once the listeners run
}

// Addr is where the broker listens, host:port.
func (m *MQTT) Addr() string { return m.address }

// Close stops the broker and forgets its sessions and retained messages.
func (m *MQTT) Close() { _ = m.server.Close() }
