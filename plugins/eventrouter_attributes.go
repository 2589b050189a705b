package plugins

import (
	"maps"

	"github.com/kong/keg/kong/server"
)

// What Kong knows of a request, by the choices of the setting attributes, and
// the extensions that have it. Their names are Kong's own in every event of the
// plugin: what a sender claims under them is taken away, also where nothing is
// put in its place, for routes may trust them.
const (
	kongConsumer = "kongconsumer"
	kongRoute    = "kongroute"
	kongService  = "kongservice"
	kongClientIP = "kongclientip"
)

// knowledge is which of it an instance asks for.
type knowledge struct{ consumer, route, service, clientIP bool }

func knowledgeOf(attributes []string) (k knowledge) {
	for _, name := range attributes {
		switch name {
		case "consumer":
			k.consumer = true
		case "route":
			k.route = true
		case "service":
			k.service = true
		case "client_ip":
			k.clientIP = true
		}
	}
	return k
}

// asked is where the answers will be.
type asked struct {
	knowledge
	consumerIs, routeIs, serviceIs server.Entity
	clientIPIs                     server.Text
}

// ask adds to b what is to be known. None of it can fail in phase access.
func (k knowledge) ask(b *server.Batch) asked {
	a := asked{knowledge: k}
	if k.consumer {
		a.consumerIs = b.Consumer()
	}
	if k.route {
		a.routeIs = b.Route()
	}
	if k.service {
		a.serviceIs = b.Service()
	}
	if k.clientIP {
		a.clientIPIs = b.ForwardedIP()
	}
	return a
}

// nothingKnown is all that most instances ask for. It is for everybody to read.
var nothingKnown = map[string]string{kongConsumer: "", kongRoute: "", kongService: "", kongClientIP: ""}

// attributes returns all of the extensions, once the batch is done: "" for what
// is not known. Nobody may change it.
func (a asked) attributes() map[string]string {
	if a.knowledge == (knowledge{}) {
		return nothingKnown
	}
	known := maps.Clone(nothingKnown)
	if a.consumer {
		known[kongConsumer] = a.consumerIs.Name()
	}
	if a.route {
		known[kongRoute] = a.routeIs.Name()
	}
	if a.service {
		known[kongService] = a.serviceIs.Name()
	}
	if a.clientIP {
		known[kongClientIP] = a.clientIPIs.Value()
	}
	return known
}
