package sources

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/kong/keg"
)

// BenchmarkHTTP is a 1 KB event there and its answer back, over loopback; the
// client's cost is in it.
func BenchmarkHTTP(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	address := make(chan string, 1)
	s := &HTTP{Listen: "127.0.0.1:0"}
	s.Ready = func(a net.Addr) { address <- a.String() }
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, intake(func(_ context.Context, events ...*keg.Event) keg.Receipts {
			return keg.Receipts{{ID: events[0].ID, Routes: []string{"all"}, Ack: keg.AckDelivered}}
		}))
	}()
	url := "http://" + <-address
	body := []byte(`{"event_type":"order.created","event_source":"shop","filler":"` + strings.Repeat("x", 950) + `"}`)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			response, err := transport.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Errorf("status %s", response.Status)
			}
		}
	})
	transport.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
