package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// busily has the file looked at all the time.
func busily(r *reloader) bool {
	r.poll = 5 * time.Millisecond
	return false
}

func TestABadFileIsToldOfOnceAndTheOldRoutesStay(t *testing.T) {
	for name, test := range map[string]struct {
		change func(f *followed)
		want   []string // in the log
	}{
		"empty":   {func(f *followed) { write(f.t, f.path, "") }, []string{"is empty"}},
		"missing": {func(f *followed) { do(f.t, os.Remove(f.path)) }, []string{"no such file"}},
		"half of it": {func(f *followed) {
			text := f.routes("new")
			write(f.t, f.path, text[:len(text)-8])
		}, []string{"line="}},
		"junk": {func(f *followed) { write(f.t, f.path, "\x00\xff\xfe") }, []string{"UTF-8"}},
		"everything wrong, with its line": {
			func(f *followed) { write(f.t, f.path, wrongRoutes) },
			[]string{"line=3", "event_type", "line=5", "topic", "line=6", "amqp", "line=7", "KEG_TEST_NOT_SET"},
		},
		"a destination that acknowledges nothing": {func(f *followed) {
			write(f.t, f.path, "routes: [{name: new, match: {}, destinations: [{type: mqtt, address: 'h:1', topic: t, qos: 0}]}]")
		}, []string{"does not acknowledge"}},
		"a secret that is not there": {func(f *followed) {
			write(f.t, f.path, "routes: [{name: new, match: {}, destinations: [{type: http, address: 'http://h', auth: {bearer: {file: "+f.dir+"/none}}}]}]")
		}, []string{"line=1", "none: no such file"}},
		"a folder in its place": {func(f *followed) {
			do(f.t, os.Remove(f.path), os.Mkdir(f.path, 0o700))
		}, []string{"no regular file"}},
		"a pipe in its place": {func(f *followed) {
			do(f.t, os.Remove(f.path), syscall.Mkfifo(f.path, 0o600))
		}, []string{"no regular file"}},
		"larger than any table": {func(f *followed) {
			write(f.t, f.path, f.routes("new")+strings.Repeat("#", 9<<20))
		}, []string{"larger than 8 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := follow(t, nil, busily)
			f.await("old")
			test.change(f)
			f.log.Await(t, "is not taken", 1)
			for _, want := range test.want {
				f.log.Await(t, want, 1)
			}
			for range 50 { // looks
				if route := f.inForce(); route != "old" {
					t.Fatalf("route %q is in force", route)
				}
				time.Sleep(time.Millisecond)
			}
			if n := len(f.log.Lines("is not taken")); n != 1 {
				t.Errorf("it is told of %d times", n)
			}
			if s := f.reloader.routes(); s.LastError == nil || s.Failures != 1 || s.FailedAt.IsZero() || s.Reloads != 0 || s.Routes != 1 {
				t.Errorf("the state is %+v", s)
			}
			do(t, os.RemoveAll(f.path))
			write(t, f.path, f.routes("new"))
			f.await("new")
			eventually(t, "the error is gone", func() bool { return f.reloader.routes().LastError == nil })
		})
	}
}

func TestAFileThatIsWrittenSlowlyIsTakenOnceItIsWhole(t *testing.T) {
	f := follow(t, nil, func(r *reloader) bool {
		r.quiet, r.patience = time.Second, time.Minute
		return false
	})
	f.await("old")
	file, err := os.Create(f.path) // which truncates it
	do(t, err)
	defer file.Close()
	head, last, _ := strings.Cut(f.routes("first"), "  - name")
	for range 20 { // each a whole file by itself
		_, err := file.WriteString(head + "  - name" + last)
		do(t, err)
		head, last = "", strings.Replace(last, ": first", ": first1", 1)
		time.Sleep(10 * time.Millisecond)
		if route := f.inForce(); route != "old" {
			t.Fatalf("route %q is in force before the file is whole", route)
		}
	}
	eventually(t, "all of it is in force", func() bool { return strings.Count(f.inForce(), "first") == 20 })
	if s := f.reloader.routes(); s.Reloads != 1 || s.Failures != 0 {
		t.Errorf("it took more than one step: %+v", s)
	}
}

func TestWhatTheOldRoutesWereIsInForceAgainWithoutAWord(t *testing.T) {
	f := follow(t, nil, busily)
	write(t, f.path, "routes: 7")
	f.log.Await(t, "is not taken", 1)
	write(t, f.path, f.routes("old"))
	f.log.Await(t, "holds again what is in force", 1)
	if s := f.reloader.routes(); s.LastError != nil || s.Reloads != 0 {
		t.Errorf("the state is %+v", s)
	}
}

func TestASecretsFileIsReadAgain(t *testing.T) {
	var secret string
	f := follow(t, func(f *followed) {
		mkdir(t, filepath.Join(f.dir, "run"))
		secret = filepath.Join(f.dir, "run", "token")
		write(t, secret, "sesame-1\n")
		write(t, f.path, strings.Replace(f.routes("a"), "{type", "{auth: {bearer: {file: "+secret+"}}, type", 1))
	})
	holds := func(token string) {
		t.Helper()
		eventually(t, "the receiver hears "+token, func() bool { f.inForce(); return f.bearer.Load() == "Bearer "+token })
	}
	holds("sesame-1")
	write(t, secret, "sesame-2\n")
	holds("sesame-2")
	do(t, os.Remove(secret))
	f.log.Await(t, "is not taken", 1)
	holds("sesame-2")
	write(t, secret, "sesame-3\n")
	holds("sesame-3")
	if strings.Contains(f.log.String(), "sesame") {
		t.Errorf("the log tells the secret:\n%s", &f.log)
	}
}

func TestADestinationThatCouldNotBeOpenedIsTriedAgain(t *testing.T) {
	f := follow(t, nil, busily)
	authority := filepath.Join(f.dir, "ca.pem")
	write(t, f.path, strings.Replace(strings.Replace(f.routes("new"), "{type", "{tls: {ca: "+authority+"}, type", 1), "http://", "https://", 1))
	f.log.Await(t, "is not taken", 1)
	time.Sleep(50 * time.Millisecond) // looks
	if n := len(f.log.Lines("is not taken")); n != 1 {
		t.Errorf("it is told of %d times", n)
	}
	server := httptest.NewTLSServer(nil)
	server.Close()
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	f.log.Await(t, "routes reloaded", 1)
}

func TestASignalHasTheFileReadAgainThoughNothingHasChanged(t *testing.T) {
	f := follow(t, nil)
	f.hup <- syscall.SIGHUP
	f.log.Await(t, "routes reloaded", 1)
	write(t, f.path, "routes: 7")
	f.log.Await(t, "is not taken", 1)
	f.hup <- syscall.SIGHUP
	f.log.Await(t, "is not taken", 2)
	f.await("old")
}

func TestAPipeIsReadOnceAndStaysWhatItWas(t *testing.T) {
	f := follow(t, func(f *followed) {
		do(t, syscall.Mkfifo(f.path, 0o600))
		go func() { _ = os.WriteFile(f.path, []byte(f.routes("piped")), 0o600) }()
	}, busily)
	f.await("piped")
	f.hup <- syscall.SIGHUP
	f.log.Await(t, "routes reloaded", 1)
	f.await("piped")
	if strings.Contains(f.log.String(), "is not taken") {
		t.Errorf("the log:\n%s", &f.log)
	}
}

func TestLookupsAreAllThatAPathDependsOn(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	do(t, err)
	mkdir(t, filepath.Join(dir, "v1"))
	do(t, os.Symlink("v1", filepath.Join(dir, "now")), os.Symlink(dir+"/v1/../v1/f", filepath.Join(dir, "v1", "l")), os.Symlink("loop", filepath.Join(dir, "loop")))
	for path, want := range map[string]string{
		"none/f": "none none/f",
		"now/l":  "now v1 v1/l v1 v1 v1/f",
	} {
		var got []string
		for _, name := range lookups(filepath.Join(dir, path)) {
			if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
				got = append(got, rest)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if n := len(lookups(filepath.Join(dir, "loop"))); n > 100 {
		t.Errorf("a circle of links has %d names", n)
	}
}
