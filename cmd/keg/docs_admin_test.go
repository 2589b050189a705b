package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/kong/keg/kong"
	"github.com/kong/keg/kong/gateway"
	"github.com/kong/keg/plugins"
)

// docsAdmin runs the stand-in with the whole set and an Admin API that can be
// written to, and returns where that listens.
func docsAdmin(t *testing.T) (address string) {
	t.Helper()
	var servers []gateway.PluginServer
	for _, name := range plugins.Names() {
		dump, problem := runHere(t, "plugin", "dump", name)
		if problem != "" {
			t.Fatal(problem)
		}
		servers = append(servers, gateway.PluginServer{Name: name, Dump: []byte(dump)})
	}
	g, err := gateway.New(gateway.Options{
		Config: []byte(`{"_format_version": "3.0"}`), Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0", AdminWritable: true,
		Prefix: t.TempDir(), PluginServers: servers, Log: slog.New(slog.DiscardHandler),
	})
	do(t, err)
	runGateway(t, g)
	return g.AdminAddrs()[0].String()
}

// curlProblem does what a curl of the docs does, to the stand-in's Admin API, and
// takes it back. Whatever is sent anywhere else must be JSON.
func curlProblem(t *testing.T, admin string, args []string) string {
	t.Helper()
	method, kind, target := http.MethodPost, "application/x-www-form-urlencoded", ""
	var data []string
	var file string
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; arg {
		case "-i":
		case "-X":
			i++
			method = args[i]
		case "-H":
			i++
			_, kind, _ = strings.Cut(args[i], ": ")
		case "-d":
			i++
			data = append(data, args[i])
		case "-F":
			i++
			file = args[i]
		default:
			if strings.HasPrefix(arg, "-") || target != "" {
				return "what is " + arg + "?"
			}
			target = "http://" + arg
		}
	}
	body := strings.Join(data, "&")
	if file != "" {
		if file != "config=@kong.yml" {
			return "there is no such file"
		}
		body, kind = kongYAML(t)
	}
	u, err := url.Parse(target)
	do(t, err)
	if u.Port() != "8001" {
		if !json.Valid([]byte(body)) {
			return "no JSON is sent"
		}
		return ""
	}
	u.Host = admin
	for _, parent := range regexp.MustCompile(`^/(routes|services)/([^/]+)/plugins$`).FindAllStringSubmatch(u.Path, -1) {
		of := map[string]string{"routes": `{"paths":["/x"]}`, "services": `{"url":"http://x"}`}[parent[1]]
		status, answer := ask(t, http.MethodPut, "http://"+admin+"/"+parent[1]+"/"+parent[2], "application/json", of)
		if status >= 300 {
			return answer
		}
	}
	status, answer := ask(t, method, u.String(), kind, body)
	if status >= 300 {
		return fmt.Sprint(status, " ", answer)
	}
	var made struct{ ID string }
	if json.Unmarshal([]byte(answer), &made) == nil && made.ID != "" {
		if status, answer := ask(t, http.MethodDelete, "http://"+admin+"/"+path.Base(u.Path)+"/"+made.ID, "", ""); status >= 300 {
			t.Fatal(status, answer)
		}
	}
	return ""
}

func ask(t *testing.T, method, url, kind, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	do(t, err)
	r.Header.Set("Content-Type", kind)
	response, err := http.DefaultClient.Do(r)
	do(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	do(t, err)
	return response.StatusCode, string(text)
}

// kongYAML is the tree's kong.yml as curl -F sends it.
func kongYAML(t *testing.T) (body, kind string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("config", "kong.yml")
	do(t, err)
	_, err = part.Write(kong.Config)
	do(t, err)
	do(t, w.Close())
	return form.String(), w.FormDataContentType()
}
