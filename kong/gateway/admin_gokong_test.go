package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kongclient "github.com/kong/go-kong/kong"
)

// client is Kong's own Go client, which decK and the Ingress Controller use too.
func (s *started) client(t *testing.T) *kongclient.Client {
	t.Helper()
	url := "http://" + s.admin
	c, err := kongclient.NewClient(&url, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestKongsClientChangesWhatRuns creates, changes and deletes with Kong's client,
// and sees each change in the next request.
func TestKongsClientChangesWhatRuns(t *testing.T) {
	g, upstream := writable(t), echo(t)
	c, ctx := g.client(t), t.Context()
	proxied := func(status int, has string) {
		t.Helper()
		body := get(t, "http://"+g.proxy+"/shop/x", status)
		if !strings.Contains(body, has) {
			t.Errorf("the answer is %s, want %s in it", body, has)
		}
	}
	proxied(404, "no Route matched")

	service := must[*kongclient.Service](t)(c.Services.Create(ctx, &kongclient.Service{Name: kongclient.String("shop"), URL: kongclient.String(upstream.URL)}))
	route := must[*kongclient.Route](t)(c.Routes.CreateInService(ctx, service.ID, &kongclient.Route{Name: kongclient.String("shop"), Paths: kongclient.StringSlice("/shop")}))
	proxied(200, "GET /x")

	plugin := must[*kongclient.Plugin](t)(c.Plugins.CreateForRoute(ctx, route.ID, &kongclient.Plugin{
		Name: kongclient.String("request-termination"), Config: kongclient.Configuration{"status_code": 418, "message": "tea"},
	}))
	proxied(418, "tea")
	plugin.Config["status_code"] = 503
	must[*kongclient.Plugin](t)(c.Plugins.Update(ctx, plugin))
	proxied(503, "tea")
	plugin.Enabled = kongclient.Bool(false)
	must[*kongclient.Plugin](t)(c.Plugins.Update(ctx, plugin))
	proxied(200, "GET /x")

	route.StripPath = kongclient.Bool(false)
	must[*kongclient.Route](t)(c.Routes.Update(ctx, route))
	proxied(200, "GET /shop/x")
	service.Path = kongclient.String("/base")
	must[*kongclient.Service](t)(c.Services.Update(ctx, service))
	proxied(200, "GET /base/shop/x")

	if err := c.Services.Delete(ctx, service.ID); apiStatus(err) != 400 {
		t.Errorf("a service with a route: %v", err)
	}
	if err := errors.Join(c.Routes.Delete(ctx, route.Name), c.Services.Delete(ctx, service.Name)); err != nil {
		t.Fatal(err)
	}
	proxied(404, "no Route matched")
	if left := must[[]*kongclient.Plugin](t)(c.Plugins.ListAll(ctx)); len(left) != 0 {
		t.Errorf("the route's plugin is left: %v", left)
	}
}

func apiStatus(err error) int {
	var refused *kongclient.APIError
	if errors.As(err, &refused) {
		return refused.Code()
	}
	return 0
}

// TestWhatDecKAsks makes the calls that `deck gateway sync` makes, with the client
// that it has.
func TestWhatDecKAsks(t *testing.T) {
	g := writable(t)
	c, ctx := g.client(t), t.Context()
	info := must[*kongclient.Info](t)(c.Info.Get(ctx))
	if info.Version != "3.9.1" || !info.Configuration.IsInMemory() {
		t.Errorf("%+v", info)
	}
	must[*kongclient.Status](t)(c.Status(ctx))
	if !must[bool](t)(c.Tags.Exists(ctx)) {
		t.Error("there are no tags")
	}

	t.Run("defaults are filled from the schemas", func(t *testing.T) {
		service := &kongclient.Service{Name: kongclient.String("s"), Host: kongclient.String("h")}
		route := &kongclient.Route{Name: kongclient.String("r"), Paths: kongclient.StringSlice("/p")}
		if _, err := c.Schemas.Get(ctx, "upstreams"); !kongclient.IsNotFoundErr(err) { // decK goes on without
			t.Errorf("upstreams: %v", err)
		}
		for entity, kind := range map[any]string{service: "services", route: "routes"} {
			if err := kongclient.FillEntityDefaults(entity, must[kongclient.Schema](t)(c.Schemas.Get(ctx, kind))); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		plugin := &kongclient.Plugin{Name: kongclient.String("request-termination"), Config: kongclient.Configuration{"message": "no"}}
		if err := kongclient.FillPluginsDefaults(plugin, must[kongclient.Schema](t)(c.Plugins.GetFullSchema(ctx, plugin.Name))); err != nil {
			t.Fatal(err)
		}
		if *service.Retries != 5 || *service.Port != 80 || !*route.StripPath || len(route.Protocols) != 2 || plugin.Config["status_code"] != 503.0 {
			t.Errorf("%+v\n%+v\n%+v", service, route, plugin)
		}
		// What is written with its defaults is read back the same: no difference for
		// decK to see.
		service.ID, route.ID = kongclient.String(someID), kongclient.String(otherID)
		route.Service = &kongclient.Service{ID: service.ID}
		made := must[*kongclient.Service](t)(c.Services.Create(ctx, service.DeepCopy()))
		made.CreatedAt, made.UpdatedAt = nil, nil
		if diff := cmp.Diff(service, made); diff != "" {
			t.Errorf("service: written -, read +:\n%s", diff)
		}
		route2 := must[*kongclient.Route](t)(c.Routes.Create(ctx, route.DeepCopy()))
		route2.CreatedAt, route2.UpdatedAt = nil, nil
		if diff := cmp.Diff(route, route2); diff != "" {
			t.Errorf("route: written -, read +:\n%s", diff)
		}
	})
	t.Run("an entity that is written again as it was read", func(t *testing.T) {
		read := must[*kongclient.Service](t)(c.Services.Get(ctx, kongclient.String("s")))
		must[*kongclient.Service](t)(c.Services.Create(ctx, read)) // PUT
		must[*kongclient.Service](t)(c.Services.Update(ctx, read)) // PATCH
	})
	t.Run("validation", func(t *testing.T) {
		ok, message, err := c.Schemas.Validate(ctx, kongclient.EntityTypeServices, &kongclient.Service{Name: kongclient.String("n")})
		if ok || err != nil || !strings.Contains(message, "host: required field missing") {
			t.Errorf("%v %q %v", ok, message, err)
		}
		if ok, message, err := c.Plugins.Validate(ctx, &kongclient.Plugin{Name: kongclient.String("request-termination")}); !ok || err != nil {
			t.Errorf("%v %q %v", ok, message, err)
		}
	})
	t.Run("consumers", func(t *testing.T) {
		ann := must[*kongclient.Consumer](t)(c.Consumers.Create(ctx, &kongclient.Consumer{Username: kongclient.String("ann"), CustomID: kongclient.String("7")}))
		found := must[*kongclient.Consumer](t)(c.Consumers.GetByCustomID(ctx, kongclient.String("7")))
		if *found.ID != *ann.ID {
			t.Errorf("%v", found)
		}
		must[*kongclient.Plugin](t)(c.Plugins.Create(ctx, &kongclient.Plugin{Name: kongclient.String("request-termination"), Consumer: ann}))
		if all := must[[]*kongclient.Plugin](t)(c.Plugins.ListAllForConsumer(ctx, ann.Username)); len(all) != 1 {
			t.Errorf("%v", all)
		}
	})
	t.Run("more than a page", func(t *testing.T) {
		var want []string
		for i := range 1050 {
			name := fmt.Sprintf("many-%04d", i)
			want = append(want, name)
			must[*kongclient.Consumer](t)(c.Consumers.Create(ctx, &kongclient.Consumer{Username: &name, Tags: kongclient.StringSlice("many")}))
		}
		var got []string
		pages := 0
		for opt := (&kongclient.ListOpt{Size: 1000, Tags: kongclient.StringSlice("many")}); opt != nil; pages++ {
			var page []*kongclient.Consumer
			var err error
			if page, opt, err = c.Consumers.List(ctx, opt); err != nil {
				t.Fatal(err)
			}
			for _, consumer := range page {
				got = append(got, *consumer.Username)
			}
		}
		slices.Sort(got)
		if pages != 2 || !slices.Equal(got, want) {
			t.Errorf("%d pages with %d consumers", pages, len(got))
		}
	})
	t.Run("what the stand-in does not have is empty or not there", func(t *testing.T) {
		errs := map[string]error{}
		_, errs["upstreams"] = c.Upstreams.ListAll(ctx)
		_, errs["certificates"] = c.Certificates.ListAll(ctx)
		_, errs["ca_certificates"] = c.CACertificates.ListAll(ctx)
		_, errs["snis"] = c.SNIs.ListAll(ctx)
		_, errs["vaults"] = c.Vaults.ListAll(ctx)
		_, errs["keys"] = c.Keys.ListAll(ctx)
		_, errs["key-sets"] = c.KeySets.ListAll(ctx)
		for kind, err := range errs {
			if err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		for kind, list := range map[string]func() error{
			"consumer_groups": func() error { _, err := c.ConsumerGroups.ListAll(ctx); return err },
			"key-auths":       func() error { _, _, err := c.KeyAuths.List(ctx, nil); return err },
			"filter-chains":   func() error { _, err := c.FilterChains.ListAll(ctx); return err },
			"licenses":        func() error { _, err := c.Licenses.ListAll(ctx); return err },
		} {
			if err := list(); !kongclient.IsNotFoundErr(err) {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
	t.Run("what there is as a declarative configuration", func(t *testing.T) {
		text := must[[]byte](t)(c.Config(ctx))
		before := g.config()
		if err := c.ReloadDeclarativeRawConfig(ctx, strings.NewReader(string(must[[]byte](t)(jsonOf(text)))), true, false); err != nil {
			t.Fatal(err)
		}
		after := g.config()
		for kind, pair := range map[string][2]int{
			"services": {len(before.Services), len(after.Services)}, "routes": {len(before.Routes), len(after.Routes)},
			"consumers": {len(before.Consumers), len(after.Consumers)}, "plugins": {len(before.Plugins), len(after.Plugins)},
		} {
			if pair[0] != pair[1] || pair[0] == 0 {
				t.Errorf("%s: %d, and read back %d", kind, pair[0], pair[1])
			}
		}
		if diff := cmp.Diff(before.Plugins[0].Fields, after.Plugins[0].Fields); diff != "" {
			t.Errorf("plugin: was -, read back +:\n%s", diff)
		}
	})
}

// jsonOf wraps a YAML document so that it can be posted.
func jsonOf(text []byte) ([]byte, error) {
	return json.Marshal(map[string]string{"config": string(text)})
}
