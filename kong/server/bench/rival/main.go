// Command rival is the plugin of the benchmark on go-pdk's own server.
package main

import (
	"log"

	pdk "github.com/Kong/go-pdk"
	pdkserver "github.com/Kong/go-pdk/server"

	"github.com/kong/keg/kong/server/bench/usage"
)

type config struct{ Note string }

func (config) Access(kong *pdk.PDK) {
	headers, err := kong.Request.GetHeaders(100)
	if err != nil {
		log.Fatal(err)
	}
	body, err := kong.Request.GetRawBody()
	if err != nil {
		log.Fatal(err)
	}
	if len(headers) == 0 || len(body) == 0 {
		log.Fatal("an event without headers or body")
	}
}

func main() {
	go usage.Answer()
	log.Fatal(pdkserver.StartServer(func() any { return &config{} }, "1", 1))
}
