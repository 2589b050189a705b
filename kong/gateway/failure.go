package gateway

import (
	"fmt"
	"html"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Kong's words for the errors that it makes itself.
var messages = map[int]string{
	http.StatusBadRequest:            "Bad request",
	http.StatusNotFound:              "Not found",
	http.StatusRequestTimeout:        "Request timeout",
	http.StatusRequestEntityTooLarge: "Payload too large",
	http.StatusRequestURITooLong:     "Request-URI too large",
	http.StatusInternalServerError:   "An unexpected error occurred",
	http.StatusBadGateway:            "An invalid response was received from the upstream server",
	http.StatusServiceUnavailable:    "The upstream server is currently unavailable",
	http.StatusGatewayTimeout:        "The upstream server is timing out",
}

// fail answers with one of Kong's own errors.
func (e *exchange) fail(status int) {
	message, ok := messages[status]
	if !ok {
		message = "An unexpected error occurred"
	}
	e.failWith(status, message)
}

// failWith is kong.response.error: the message and the request's id, in the
// form that the client accepts.
func (e *exchange) failWith(status int, message string) {
	contentType, body := errorBody(e.request.headers.get("accept"), message, e.id)
	e.answer.headers.set("Content-Type", contentType)
	e.answer.headers.del("Content-Length")
	e.answer.headers.del("Content-Encoding")
	if e.answer.stream != nil {
		e.answer.stream.Close()
		e.answer.stream = nil
	}
	e.exit("error", status, []byte(body))
}

func errorBody(accept, message, id string) (contentType, body string) {
	switch errorType(accept) {
	case "text/html":
		m := html.EscapeString(message)
		return "text/html; charset=utf-8", fmt.Sprintf(`<!doctype html>
<html>
  <head>
    <meta charset="utf-8">
    <title>Error</title>
  </head>
  <body>
    <h1>Error</h1>
    <p>%s.</p>
    <p>request_id: %s</p>
  </body>
</html>
`, m, id)
	case "text/plain":
		return "text/plain; charset=utf-8", fmt.Sprintf("%s\nrequest_id: %s\n", message, id)
	case "application/xml":
		return "application/xml; charset=utf-8", fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>%s</message>\n  <requestid>%s</requestid>\n</error>\n",
			html.EscapeString(message), id)
	default:
		return "application/json; charset=utf-8", fmt.Sprintf("{\n  \"message\":%q,\n  \"request_id\":%q\n}", message, id)
	}
}

// errorType picks the form by the Accept header's best weight; JSON where it
// leaves a choice.
func errorType(accept string) string {
	best, bestQ := "application/json", 0.0
	for _, item := range strings.Split(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		switch mediaType {
		case "*/*", "application/*":
			mediaType = "application/json"
		case "text/*":
			mediaType = "text/html"
		case "application/json", "text/html", "text/plain", "application/xml":
		default:
			continue
		}
		if q > bestQ {
			best, bestQ = mediaType, q
		}
	}
	return best
}
