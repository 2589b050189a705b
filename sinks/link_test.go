package sinks

import (
	"net"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// link is the network between a sink and its server, a proxy that can be made
// slow, cut or otherwise faulty. The server may be started after it.
type link struct {
	t       *testing.T
	toxics  *toxiproxy.ApiServer
	address string // that of the near end
	server  string // that of the far end
	proxy   *toxiproxy.Proxy
}

// newLink listens for the sink. Connections go nowhere before the first mend.
func newLink(t *testing.T) *link {
	t.Helper()
	l := &link{t: t, toxics: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), address: "127.0.0.1:0"}
	l.mend()
	t.Cleanup(func() { l.proxy.Stop() })
	return l
}

// mend breaks all connections and makes the link whole.
func (l *link) mend() {
	l.t.Helper()
	if l.proxy != nil {
		l.proxy.Stop()
	}
	l.proxy = toxiproxy.NewProxy(l.toxics, "link", l.address, l.server)
	if err := l.proxy.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.address = l.proxy.Listen
}

// leadTo names the server at the far end.
func (l *link) leadTo(server string) {
	l.server = server
	l.mend()
}

// spoil makes the link faulty: of connections that are there, and of new ones.
func (l *link) spoil(toxics ...string) {
	l.t.Helper()
	for _, toxic := range toxics {
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			l.t.Fatalf("%s: %v", toxic, err)
		}
	}
}

// unblamed is for goleak: what toxiproxy leaves behind on a link that it cut.
func unblamed() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	}
}

// elsewhere is a listener that says that it is at another address, so that a
// broker advertises that one.
type elsewhere struct {
	net.Listener
	address net.Addr
}

func (l *elsewhere) Addr() net.Addr { return l.address }
