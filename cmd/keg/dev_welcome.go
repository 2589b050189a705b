package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"

	"github.com/kong/keg/kong/gateway"
)

// welcome prints where everything listens, what to try, and "ready".
func (f *firstLook) welcome(w io.Writer, sources []string) {
	f.lines.mu.Lock() // no event's line in between
	defer f.lines.mu.Unlock()
	proxy := join(f.gateway.ProxyAddrs())
	kept := "nothing is kept"
	if f.node.store != nil {
		kept = "what it accepted is kept in " + f.node.storeAt.String() + " until it is delivered"
	}
	_, _ = fmt.Fprintf(w, "KEG, a first look. Everything runs in this process; %s.\n\n", kept)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what, address, note string) {
		if address == "" {
			address = "off"
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", what, address, note)
	}
	row("proxy", proxy, gateway.Banner)
	row("Admin API", join(f.gateway.AdminAddrs()), "of the stand-in")
	row("Kafka", f.kafkaAddr, "in memory")
	row("MQTT", f.mqttAddr, "in memory")
	row("webhook", f.webhookAddr, "prints here what it is sent")
	row("HTTP source", strings.Join(sources, " "), "KEG's own way in, beside Kong")
	row("status", f.statusAddr, "health, metrics, dead letters")
	row("routes", f.routesFile, "")
	row("kong.yml", f.kongFile, "")
	_ = table.Flush()
	if f.devConfig.kongConfig == "" && proxy != "" {
		bodies := firstEvents
		if f.ownRoutes { // which want who knows what
			bodies = bodies[:1]
		}
		_, _ = fmt.Fprintf(w, "\nSend it an event, from another terminal:\n\n%s", curls(strings.Fields(proxy)[0], bodies))
		if f.kafkaAddr != "" && !f.ownRoutes {
			_, _ = fmt.Fprintf(w, "\nSee where it went:\n\n  %s tail kafka://%s/order-processing\n", whatToType(), f.kafkaAddr)
		}
	}
	_, _ = fmt.Fprint(w, "\nready\n")
}

// firstEvents are one for each destination of kong/routes.yaml.
var firstEvents = []string{
	`{"event_type":"order.created","event_source":"shop","order":{"id":7,"total":129.9}}`,
	`{"event_type":"payment.settled","event_source":"payment-service","payment":{"id":12,"amount":129.9}}`,
	`{"event_type":"sensor.reading","event_source":"greenhouse-4","celsius":21.5}`,
}

func curls(proxy string, bodies []string) string {
	var b strings.Builder
	for _, body := range bodies {
		fmt.Fprintf(&b, "  curl -i http://%s/events -H 'content-type: application/json' -d '%s'\n", proxy, body)
	}
	return b.String()
}

func join(addrs []net.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, " ")
}
