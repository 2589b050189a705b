package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What somebody types first, before having read anything.
func TestFirstWords(t *testing.T) {
	empty := t.TempDir()
	for _, test := range []struct {
		args   string
		status int
		want   []string
	}{
		{"", 0, []string{"keg dev", "Available Commands"}},
		{"--version", 0, []string{"keg "}},
		{"-v", 0, []string{"keg "}},
		{"rotues", exitUsage, []string{`did you mean routes?`}},
		{"tial", exitUsage, []string{`did you mean tail?`}},
		{"routes chek", exitUsage, []string{`did you mean check?`}},
		{"serve now", exitUsage, []string{`takes no arguments`, `"now"`, "keg serve --help"}},
		{"routes explain", exitUsage, []string{"2 arguments", "FILE EVENT"}},
		{"tail", exitUsage, []string{"1 argument,", "ADDRESS"}},
		{"tail kafka://127.0.0.1/orders", exitUsage, []string{"port", "kafka://host:port/topic"}},
		{"serve --persistence-enable=maybe", exitUsage, []string{"true or false"}},
		{"serve --socket " + filepath.Join(empty, "no", "keg.socket"), exitUsage, []string{filepath.Join(empty, "no"), "--socket", "KEG_SOCKET"}},
	} {
		status, stdout, stderr := runKeg(t, nil, strings.Fields(test.args)...)
		if status != test.status {
			t.Errorf("keg %s: exit status %d", test.args, status)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("keg %s: says nothing of %q:\n%s%s", test.args, want, stdout, stderr)
			}
		}
	}
}

func TestAnAddressOfTheStandInThatIsInUseIsAnsweredWithTheFlags(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	for _, flag := range []string{"--proxy-listen", "--admin-listen", "--http-source-listen"} {
		status, _, stderr := runKeg(t, nil, append(append([]string{"dev"}, anyPort...), flag, taken.Listener.Addr().String())...)
		if status != exitUsage || !strings.Contains(stderr, flag) || !strings.Contains(stderr, taken.Listener.Addr().String()) {
			t.Errorf("%s: exit status %d: %s", flag, status, stderr)
		}
	}
}

// An orderly end may take as long as a destination does. Whoever presses Ctrl-C
// twice wants no such thing.
func TestASecondSignalDoesNotWaitForWhatIsUnderWay(t *testing.T) {
	under, leave := make(chan struct{}), make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(under); <-leave }))
	defer hook.Close()
	defer close(leave)
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write(t, file, `routes: [{name: all, match: {}, destinations: [{type: http, address: "`+hook.URL+`"}]}]`)
	p := start(t, []string{"KEG_LOG_FORMAT=text"}, "serve", "--routes", file, "--event-sources", "http:127.0.0.1:0", "--socket", filepath.Join(t.TempDir(), "s"))
	_, address, _ := strings.Cut(p.until("source listens"), "address=")
	go func() {
		if response, err := http.Post("http://"+address, "text/plain", strings.NewReader("x")); err == nil {
			response.Body.Close()
		}
	}()
	<-under
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	p.until("a second signal")
	began := time.Now()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	if p.wait(); time.Since(began) > 5*time.Second { // a request has ten
		t.Errorf("it took %v", time.Since(began))
	}
}
