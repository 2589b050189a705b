package console

import (
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/kong/keg/answer"
)

// guard stands before every call.
//
// A page that a browser on this machine shows may send requests to this machine
// too. On a loopback listener a request must therefore name this machine as its
// host: a name of a stranger's that resolves to 127.0.0.1 (DNS rebinding) is
// refused. What changes something is refused where another site's page sent it.
//
// Dead letters are events, with all that is in them, and can be dropped; the
// listener asks nobody for a password. So they are shown to this machine alone,
// even where probes and scrapers from elsewhere reach the listener.
type guard struct {
	next     http.Handler
	loopback bool // the listener is reached from this machine alone
	crossing *http.CrossOriginProtection

	inside sync.RWMutex // held for reading while a request is served
	shut   bool
}

func newGuard(next http.Handler, loopback bool) *guard {
	return &guard{next: next, loopback: loopback, crossing: http.NewCrossOriginProtection()}
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.inside.RLock()
	defer g.inside.RUnlock()
	if g.shut {
		refuse(w, http.StatusServiceUnavailable, "the node has stopped")
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	private := r.URL.Path == deadLettersPath || strings.HasPrefix(r.URL.Path, deadLettersPath+"/")
	switch {
	case private && !isLoopbackPeer(r.RemoteAddr):
		refuse(w, http.StatusForbidden, "dead letters are shown to this node's own machine alone: run keg deadletters there")
	case (private || g.loopback) && !isLoopbackHost(r.Host):
		refuse(w, http.StatusForbidden, "this listener is for its own machine: name it as localhost, 127.0.0.1 or [::1]")
	case g.crossing.Check(r) != nil:
		refuse(w, http.StatusForbidden, "a page of another site sent this")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// close lets nobody in any more and waits for those inside.
func (g *guard) close() {
	g.inside.Lock()
	g.shut = true
	g.inside.Unlock()
}

func isLoopbackPeer(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func isLoopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

func refuse(w http.ResponseWriter, status int, detail string) { send(w, answer.Status(status, detail)) }

// send writes an answer. A client that has gone away hears nothing, and there is
// nobody else to tell.
func send(w http.ResponseWriter, a answer.Answer) {
	for name, values := range a.Headers {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}
