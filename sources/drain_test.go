package sources

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/test/logtest"
)

func TestRequestsUnderWayAreAnsweredAtTheEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var cut error
	address, stop := start(t, &HTTP{}, func(ctx context.Context, events ...*keg.Event) keg.Receipts {
		close(entered)
		<-leave
		cut = ctx.Err()
		return keg.Receipts{{ID: events[0].ID}}
	})
	answered := make(chan reply, 1)
	go func() { answered <- send1(t, client(t), "POST", "http://"+address, "x") }()
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for { // it takes no new ones while it waits
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		_ = c.Close()
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-ended:
		t.Fatalf("Run returned with a request under way: %v", err)
	default:
	}
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := <-answered; got.status != 202 {
		t.Errorf("%+v", got)
	}
	if cut != nil {
		t.Errorf("the request's context had ended before the drain's time: %v", cut)
	}
}

func TestRequestsThatDoNotEndAreCut(t *testing.T) {
	entered := make(chan struct{})
	returned := false
	var log logtest.Log
	address, stop := start(t, &HTTP{DrainTimeout: 50 * time.Millisecond, Log: log.Logger()}, func(ctx context.Context, events ...*keg.Event) keg.Receipts {
		close(entered)
		<-ctx.Done()
		returned = true
		return keg.Receipts{{ID: events[0].ID, Err: ctx.Err()}}
	})
	go func() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"))
		_, _ = c.Read(make([]byte, 1))
	}()
	<-entered
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !returned {
		t.Error("Run returned before the handler")
	}
	for _, want := range []string{"requests were cut short", "a request was refused"} { // the source's end, and the event's
		if n := len(log.Lines(want)); n != 1 {
			t.Errorf("%d lines say that %s: %s", n, want, &log)
		}
	}
}

func TestAnIdleConnectionDoesNotHoldUpTheEnd(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		address, stop := start(t, &HTTP{}, (&took{}).handle)
		c := client(t)
		if http2 {
			c = http2Client(t)
		}
		send1(t, c, "POST", "http://"+address, "x") // and is kept alive
		start := time.Now()
		if err := stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("HTTP/2 %t: it took %v", http2, took)
		}
	}
}

func TestAnAddressThatIsTakenIsAnError(t *testing.T) {
	address := run(t, &HTTP{}, (&took{}).handle)
	err := (&HTTP{Listen: address}).Run(t.Context(), intake((&took{}).handle))
	if err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAHostNobodyElseCanReachIt(t *testing.T) {
	s := &HTTP{Listen: ":0"}
	ready := make(chan net.Addr, 1)
	s.Ready = func(a net.Addr) { ready <- a }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, intake((&took{}).handle)) }()
	if a := <-ready; !a.(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("it listens on %v", a)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestASourceTellsWhereItListens(t *testing.T) {
	specs, err := Parse("http:0")
	if err != nil {
		t.Fatal(err)
	}
	type listening struct {
		config  keg.SourceConfig
		address net.Addr
	}
	ready := make(chan listening, 1)
	source, err := Open(specs[0], Options{Ready: func(c keg.SourceConfig, a net.Addr) { ready <- listening{c, a} }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var k took
	go func() { ended <- source.Run(ctx, intake(k.handle)) }()
	l := <-ready
	if l.config.Name != "http://127.0.0.1:0" {
		t.Errorf("%+v", l.config)
	}
	if got := send1(t, client(t), "POST", "http://"+l.address.String(), "x"); got.status != 200 {
		t.Errorf("%+v", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
