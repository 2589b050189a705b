package kong_test

import (
	"regexp"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/kong/keg/kong"
	"github.com/kong/keg/kong/gateway/declarative"
)

// eventRouter is as much of the plugin's schema as kong.yml needs.
const eventRouter = `{"name":"event-router","fields":[{"config":{"type":"record","fields":[]}}]}`

func TestTheTreesKongYAMLTakesEventsAtEvents(t *testing.T) {
	schema, err := declarative.ParseSchema([]byte(eventRouter))
	if err != nil {
		t.Fatal(err)
	}
	l := &declarative.Loader{Schemas: map[string]*declarative.Schema{"event-router": schema}}
	c, err := l.Load(kong.Config)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Services) != 0 || len(c.Routes) != 1 || len(c.Plugins) != 1 {
		t.Fatalf("%d services, %d routes, %d plugins", len(c.Services), len(c.Routes), len(c.Plugins))
	}
	if r := c.Routes[0]; !slices.Equal(r.Paths, []string{"/events"}) || c.Plugins[0].Route != r || c.Plugins[0].Name != "event-router" {
		t.Errorf("%v", r.Fields)
	}
}

func TestTheTreesRoutesShowEveryDestination(t *testing.T) {
	var table struct {
		Routes []struct {
			Name         string
			Destinations []struct{ Type, Address, Topic string }
		}
	}
	if err := yaml.Unmarshal(kong.Routes, &table); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range table.Routes {
		for _, d := range r.Destinations {
			got = append(got, d.Type+" "+d.Address+" "+d.Topic)
		}
	}
	// `keg dev` may put other addresses in; these are the ones without it.
	for i, want := range []string{`^kafka \S*127\.0\.0\.1:9092\}? order-processing$`, `^http http://\S*127\.0\.0\.1:8070\}?/audit $`, `^mqtt \S*127\.0\.0\.1:1883\}? \S+$`} {
		if i >= len(got) || !regexp.MustCompile(want).MatchString(got[i]) {
			t.Errorf("%q, want %s", got, want)
		}
	}
}
