package gateway

import (
	"encoding/json"
	"net/http"
)

// terminate is the bundled plugin request-termination.
func (e *exchange) terminate(a *applied) {
	config := a.entity.Config
	text := func(key string) string { s, _ := config[key].(string); return s }
	if trigger := text("trigger"); trigger != "" {
		if !e.request.headers.has(trigger) && !hasQueryArg(e.request.query, trigger) {
			return
		}
	}
	status := http.StatusServiceUnavailable
	if code, ok := config["status_code"].(float64); ok {
		status = int(code)
	}
	if config["echo"] == true {
		e.echo(status, text("message"))
		return
	}
	if body := text("body"); body != "" {
		contentType := text("content_type")
		if contentType == "" {
			contentType = "application/json; charset=utf-8"
		}
		e.answer.headers.set("Content-Type", contentType)
		e.exit("exit", status, []byte(body))
		return
	}
	message := text("message")
	if message == "" {
		message = defaultMessages[status]
	}
	body := []byte(nil)
	if message != "" {
		body, _ = json.Marshal(map[string]string{"message": message})
		e.answer.headers.set("Content-Type", "application/json; charset=utf-8")
	}
	e.exit("exit", status, body)
}

// defaultMessages are the plugin's own words for a status.
var defaultMessages = map[int]string{
	http.StatusUnauthorized:        "Unauthorized",
	http.StatusNotFound:            "Not found",
	http.StatusMethodNotAllowed:    "Method not allowed",
	http.StatusInternalServerError: "An unexpected error occurred",
	http.StatusBadGateway:          "Bad gateway",
	http.StatusServiceUnavailable:  "Service unavailable",
}

// echo answers with what Kong made of the request.
func (e *exchange) echo(status int, message string) {
	raw, _ := e.rawBody()
	host, _ := splitHost(e.request.headers.get("host"))
	body, err := json.Marshal(map[string]any{
		"message": message,
		"request": map[string]any{
			"scheme": "http", "host": host, "port": e.port(), "headers": e.request.headers.lua(100),
			"query": e.queryTable(100), "body": nil, "raw_body": string(raw),
			"method": e.request.method, "path": e.request.path,
		},
		"matched_route":   e.routeShown(),
		"matched_service": e.serviceShown(),
	})
	if err != nil {
		e.fail(http.StatusInternalServerError)
		return
	}
	e.answer.headers.set("Content-Type", "application/json; charset=utf-8")
	e.exit("exit", status, body)
}

func (e *exchange) routeShown() any {
	if e.match == nil {
		return nil
	}
	return e.match.route.Shown()
}

func (e *exchange) serviceShown() any {
	if e.match == nil || e.match.route.Service == nil {
		return nil
	}
	return e.match.route.Service.Shown()
}
