package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"

	"github.com/kong/keg/kong/gateway/declarative"
)

var clientMethods = map[string]method{
	"kong.client.get_ip":             {anyPhase, false, textOf((*exchange).clientIP)},
	"kong.client.get_forwarded_ip":   {anyPhase, false, textOf((*exchange).clientIP)},
	"kong.client.get_port":           {anyPhase, false, intOf(func(e *exchange) int { return portOf(e.client.String()) })},
	"kong.client.get_forwarded_port": {anyPhase, false, intOf(func(e *exchange) int { return portOf(e.client.String()) })},
	"kong.client.get_protocol":       {authAndLater, false, textOf(func(*exchange) string { return "http" })},
	// There is nothing here that authenticates: nobody is a consumer, and nobody can
	// become one.
	"kong.client.get_consumer":   {authAndLater, true, nothing},
	"kong.client.get_credential": {authAndLater, true, nothing},
	"kong.client.load_consumer":  {authenticating, false, loadConsumer},
	"kong.client.authenticate":   {authenticating, false, nothing},

	// trusted_ips is empty, as by Kong's default.
	"kong.ip.is_trusted": {anyPhase, true, func(e *exchange, argument []byte) ([]byte, error) {
		address, err := readString(argument)
		if err != nil {
			return nil, err
		}
		if _, err := netip.ParseAddr(address); err != nil {
			return nil, fmt.Errorf("%q is no IP address", clean(address))
		}
		return boolMessage(false), nil
	}},
	"kong.node.get_id": {anyPhase, true, textOf(func(e *exchange) string { return e.g.node })},
}

var contextMethods = map[string]method{
	"kong.nginx.get_var":              {anyPhase, false, byName((*exchange).nginxVar)},
	"kong.nginx.get_tls1_version_str": {anyPhase, false, nothing},
	"kong.nginx.get_subsystem":        {anyPhase, true, textOf(func(*exchange) string { return "http" })},
	"kong.nginx.req_start_time": {anyPhase, true, func(e *exchange, _ []byte) ([]byte, error) {
		return numberMessage(float64(e.start.UnixMilli()) / 1000), nil
	}},
	"kong.nginx.get_ctx":  {anyPhase, true, getFrom(func(e *exchange) map[string]any { return e.ctx })},
	"kong.nginx.set_ctx":  {anyPhase, true, setIn(func(e *exchange) map[string]any { return e.ctx })},
	"kong.ctx.shared.get": {anyPhase, true, getFrom(func(e *exchange) map[string]any { return e.shared })},
	"kong.ctx.shared.set": {anyPhase, true, setIn(func(e *exchange) map[string]any { return e.shared })},
}

var logMethods = map[string]method{
	"kong.log.alert":  {anyPhase, true, logAt(slog.LevelError)},
	"kong.log.crit":   {anyPhase, true, logAt(slog.LevelError)},
	"kong.log.err":    {anyPhase, true, logAt(slog.LevelError)},
	"kong.log.warn":   {anyPhase, true, logAt(slog.LevelWarn)},
	"kong.log.notice": {anyPhase, true, logAt(slog.LevelInfo)},
	"kong.log.info":   {anyPhase, true, logAt(slog.LevelInfo)},
	"kong.log.debug":  {anyPhase, true, logAt(slog.LevelDebug)},
	"kong.log.set_serialize_value": {requestPhases, true, func(e *exchange, argument []byte) ([]byte, error) {
		key, value, err := readKV(argument)
		if err == nil {
			e.serializeAlso(key, value)
		}
		return nil, err
	}},
	"kong.log.serialize": {anyPhase, true, textOf(func(e *exchange) string {
		return string(declarative.AppendJSON(nil, e.serialize()))
	})},
}

// loadConsumer finds a consumer by its id, or by its name where that is asked for.
func loadConsumer(e *exchange, argument []byte) ([]byte, error) {
	var spec kong_plugin_protocol.ConsumerSpec
	if err := proto.Unmarshal(argument, &spec); err != nil {
		return nil, err
	}
	for _, c := range e.state.config.Consumers {
		if c.ID == spec.Id || spec.ByUsername && c.Name != "" && c.Name == spec.Id {
			return proto.Marshal(&kong_plugin_protocol.Consumer{
				Id: c.ID, CreatedAt: c.CreatedAt, Username: c.Name, CustomId: c.CustomID, Tags: c.Tags(),
			})
		}
	}
	return nil, nil
}

func nothing(*exchange, []byte) ([]byte, error) { return nil, nil }

func (e *exchange) clientIP() string {
	ip, _, _ := net.SplitHostPort(e.client.String())
	return ip
}

func getFrom(values func(*exchange) map[string]any) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		key, err := readString(argument)
		if err != nil {
			return nil, err
		}
		return valueMessage(values(e)[key]), nil
	}
}

func setIn(values func(*exchange) map[string]any) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		key, value, err := readKV(argument)
		if err == nil {
			values(e)[key] = value
		}
		return nil, err
	}
}

// logAt writes what a plugin says to the log; the parts follow each other
// without a space, as in Kong.
func logAt(level slog.Level) func(*exchange, []byte) ([]byte, error) {
	return func(e *exchange, argument []byte) ([]byte, error) {
		parts, err := readList(argument, 0)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, part := range parts {
			b.WriteString(luaText(part))
		}
		e.g.log.Log(e.in.Context(), level, clean(b.String()), "plugin", e.runningName(), "request_id", e.id)
		return nil, nil
	}
}

func (e *exchange) runningName() string {
	if e.running == nil {
		return ""
	}
	return e.running.name
}
