// Command ours is the plugin of the benchmark on kong/server.
package main

import (
	"context"
	"log"
	"os"

	"github.com/kong/keg/kong/server"
	"github.com/kong/keg/kong/server/bench/usage"
)

type config struct {
	Note string `kong:"note" doc:"Nothing of importance."`
}

func (config) Access(_ context.Context, c *server.Call) error {
	batch := c.Batch()
	headers, body := batch.Headers(100), batch.RawBody(1<<20)
	if err := batch.Do(); err != nil {
		return err
	}
	if len(headers.Value()) == 0 || len(body.Value()) == 0 {
		log.Fatal("an event without headers or body")
	}
	return nil
}

func (config) Close() error { return nil }

func main() {
	go usage.Answer()
	s, err := server.New(server.Options{
		Socket: os.Args[1],
		Plugins: []server.Plugin{{
			Name: "bench", Version: "1", Phases: []server.Phase{server.Access},
			Config: func() any { return new(config) },
			Start:  func(c any) (server.Instance, error) { return c.(*config), nil },
		}},
	})
	if err == nil {
		err = s.Serve(context.Background())
	}
	log.Fatal(err)
}
