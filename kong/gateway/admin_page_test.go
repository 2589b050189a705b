package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestPagesAndTags(t *testing.T) {
	g := writable(t)
	for i := range 7 {
		tags := `["all"]`
		if i%2 == 0 {
			tags = `["all","even"]`
		}
		g.does(t, "PUT", fmt.Sprintf("/services/s%d", i), `{"host":"h","tags":`+tags+`}`, 200)
		g.does(t, "PUT", fmt.Sprintf("/services/s0/routes/r%d", i), `{"paths":["/x"]}`, 200)
	}
	walk := func(path string) (pages []int, names map[string]bool) {
		names = map[string]bool{}
		for path != "" && len(pages) < 20 {
			page := g.does(t, "GET", path, "", 200)
			list := page["data"].([]any)
			for _, e := range list {
				names[fmt.Sprint(e.(map[string]any)["name"])] = true
			}
			pages = append(pages, len(list))
			path, _ = page["next"].(string)
		}
		return pages, names
	}
	for path, want := range map[string]string{
		"/services":                     "[7]",
		"/services?size=7":              "[7]",
		"/services?size=3":              "[3 3 1]",
		"/services?size=1&tags=all":     "[1 1 1 1 1 1 1]",
		"/services?tags=even,all":       "[4]",
		"/services?tags=even/all":       "[7]",
		"/services?tags=odd/even":       "[4]",
		"/services?tags=none":           "[0]",
		"/services/s0/routes?size=4":    "[4 3]",
		"/services/s1/routes":           "[0]",
		"/consumers":                    "[0]",
		"/upstreams?size=1000":          "[0]",
		"/tags":                         "[11]",
		"/tags?size=5":                  "[5 5 1]",
		"/tags/even":                    "[4]",
		"/services?size=3&tags=all%2F!": "[3 3 1]",
	} {
		t.Run(path, func(t *testing.T) {
			pages, names := walk(path)
			if fmt.Sprint(pages) != want {
				t.Errorf("pages of %v, want %s", pages, want)
			}
			total := 0
			for _, n := range pages {
				total += n
			}
			if !strings.HasPrefix(path, "/tags") && len(names) != total {
				t.Errorf("%d names on pages of %v", len(names), pages)
			}
		})
	}
	if next := g.does(t, "GET", "/services?size=3&tags=all", "", 200)["next"].(string); !strings.HasPrefix(next, "/services?offset=") || !strings.HasSuffix(next, "&tags=all&size=3") {
		t.Errorf("next is %s", next)
	}
}

func TestOptionsAndHead(t *testing.T) {
	g := writable(t)
	g.does(t, "PUT", "/services/shop", `{"host":"h"}`, 200)
	for path, want := range map[string]string{
		"/":                         "GET, HEAD, OPTIONS",
		"/services":                 "GET, HEAD, OPTIONS, POST",
		"/services/shop":            "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
		"/services/shop/routes/":    "GET, HEAD, OPTIONS, POST",
		"/schemas/plugins/validate": "OPTIONS, POST",
	} {
		for _, method := range []string{"OPTIONS", "HEAD", "TRACE"} {
			request, _ := http.NewRequest(method, "http://"+g.admin+path, nil)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			h, status := response.Header, response.StatusCode
			switch method {
			case "OPTIONS":
				if status != 204 || h.Get("Allow") != want || h.Get("Access-Control-Allow-Methods") != want || h.Get("Access-Control-Allow-Headers") != "Content-Type" {
					t.Errorf("%s: %d %v", path, status, h)
				}
			case "HEAD":
				if strings.Contains(want, "HEAD") && (status != 200 || response.ContentLength <= 0) {
					t.Errorf("%s: %d, %d bytes", path, status, response.ContentLength)
				}
			default:
				if status != 405 || h.Get("Allow") != want {
					t.Errorf("%s: %d %v", path, status, h)
				}
			}
		}
	}
}
