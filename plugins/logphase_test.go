package plugins_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	wire "github.com/Kong/go-pdk/server/kong_plugin_protocol"
	"google.golang.org/protobuf/proto"
)

// recorded is a log entry that a running Kong wrote.
func recorded(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/log-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// entry is a small log entry of a request of that id.
func entry(id string) string {
	return fmt.Sprintf(`{"request":{"id":%q,"headers":{"host":"h"}},"started_at":1795420221584,"service":{"name":"shop"},"route":{"name":"orders"}}`, id)
}

// logs runs a request through the instance's log phase, and returns what the
// plugin asked.
func (k *kong) logs(t testing.TB, instance int32, entry string) (asked []string) {
	t.Helper()
	conn := k.begin(t, instance, "log")
	defer conn.Close()
	return serveLog(t, conn, entry)
}

// serveLog answers for Kong until the phase has ended.
func serveLog(t testing.TB, conn net.Conn, entry string) (asked []string) {
	t.Helper()
	for {
		method, err := readFrame(conn)
		if err != nil {
			t.Fatalf("Kong would run the event again: %v", err)
		}
		if _, err := readFrame(conn); err != nil {
			t.Fatal(err)
		}
		switch string(method) {
		case "":
			return asked // what follows was the RpcReturn
		case "kong.log.serialize":
			answer, err := proto.MarshalOptions{}.Marshal(&wire.ByteString{V: []byte(entry)}) // of the same form as String, and takes any bytes
			if err != nil {
				t.Fatal(err)
			}
			asked = append(asked, string(method))
			writeFrame(t, conn, answer)
		default:
			t.Fatalf("asked for %s", method)
		}
	}
}

// until waits for something that happens in the background.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// all is a table whose one route takes every event.
func all(addresses ...string) string {
	var destinations []string
	for _, a := range addresses {
		destinations = append(destinations, fmt.Sprintf(`{"type":"memory","address":%q}`, a))
	}
	return `"routes":[{"name":"all","match":{},"destinations":[` + strings.Join(destinations, ",") + `]}]`
}
