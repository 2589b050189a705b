package main

import (
	"net/http"
	"strings"
	"testing"

	kongclient "github.com/kong/go-kong/kong"
)

func TestTheAdminAPIIsReadOnlyUnlessItIsMadeWritable(t *testing.T) {
	route := &kongclient.Route{Name: kongclient.String("mine"), Paths: kongclient.StringSlice("/mine")}
	admin := func(p firstLookProcess) *kongclient.Client {
		url := "http://" + p.admin
		c, err := kongclient.NewClient(&url, &http.Client{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("read-only", func(t *testing.T) {
		c := admin(startDev(t, nil))
		if _, err := c.Routes.Create(t.Context(), route); err == nil || !strings.Contains(err.Error(), "cannot create 'routes' entities when not using a database") {
			t.Errorf("%v", err)
		}
	})
	t.Run("writable", func(t *testing.T) {
		p := startDev(t, nil, "--admin-writable")
		c, ctx := admin(p), t.Context()
		made, err := c.Routes.Create(ctx, route)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Plugins.CreateForRoute(ctx, made.ID, &kongclient.Plugin{
			Name: kongclient.String("event-router"), Config: kongclient.Configuration{"timeout": "soon"},
		})
		if err == nil || !strings.Contains(err.Error(), "config.timeout: expected an integer") {
			t.Errorf("a wrong config: %v", err)
		}
		if _, err := c.Plugins.CreateForRoute(ctx, made.ID, &kongclient.Plugin{Name: kongclient.String("event-router")}); err != nil {
			t.Fatal(err)
		}
		status, answer, _ := post(t, "http://"+p.proxy+"/mine", "application/json", `{"event_type":"order.created"}`)
		if status != http.StatusOK || !strings.Contains(answer, "orders-to-processing") {
			t.Errorf("%d %s", status, answer)
		}
		if err := c.Routes.Delete(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
		if status, answer, _ := post(t, "http://"+p.proxy+"/mine", "application/json", `{}`); status != http.StatusNotFound {
			t.Errorf("after it was deleted: %d %s", status, answer)
		}
	})
}
