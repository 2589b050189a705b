package main

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryIsLimitedToAShareOfTheContainers(t *testing.T) {
	gib := memlimit.Limit(1 << 30)
	none := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	nowhere := func() (uint64, error) { return 0, memlimit.ErrNoCgroup }
	broken := func() (uint64, error) { return 0, errors.New("memory.max: input/output error") }
	for name, test := range map[string]struct {
		container memlimit.Provider
		share     string // AUTOMEMLIMIT
		want      int64
		said      string // "": no line
	}{
		"half of it":             {gib, "", 512 << 20, `limit="512 MiB" by=container`},
		"as AUTOMEMLIMIT says":   {gib, "0.25", 256 << 20, `limit="256 MiB" by=AUTOMEMLIMIT`},
		"a container without":    {none, "", math.MaxInt64, ""},
		"no container":           {nowhere, "", math.MaxInt64, ""},
		"switched off":           {gib, "off", math.MaxInt64, ""},
		"a share that is none":   {gib, "much", math.MaxInt64, "AUTOMEMLIMIT"},
		"a limit that is broken": {broken, "", math.MaxInt64, "input/output error"},
	} {
		t.Run(name, func(t *testing.T) {
			before := debug.SetMemoryLimit(math.MaxInt64)
			t.Cleanup(func() { debug.SetMemoryLimit(before) })
			if test.share != "" {
				t.Setenv("AUTOMEMLIMIT", test.share)
			}
			var said bytes.Buffer
			limitMemory(slog.New(slog.NewTextHandler(&said, nil)), test.container)
			if got := debug.SetMemoryLimit(-1); got != test.want {
				t.Errorf("the limit is %d, want %d", got, test.want)
			}
			if !strings.Contains(said.String(), test.said) || test.said == "" && said.Len() > 0 || strings.Count(said.String(), "\n") > 1 {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

func TestGOGCGoesBeforeWhatKegThinksBest(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	for gogc, want := range map[string]int{"": collectAt, "50": 100, "off": 100} { // Go itself reads it, at the start
		debug.SetGCPercent(100)
		t.Setenv("GOGC", gogc)
		collectRarely()
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("GOGC=%q: %d, want %d", gogc, got, want)
		}
	}
}
