package plugins_test

import (
	"bytes"
	"strings"
	"sync"
)

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines are the lines that say what.
func (b *logBuffer) lines(what string) (found []string) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, what) {
			found = append(found, line)
		}
	}
	return found
}
