package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLogLinesKeepTheirOrder(t *testing.T) {
	var out bytes.Buffer
	q := newLineQueue(&out, 16)
	for i := range 10 {
		fmt.Fprintf(q, "line %d\n", i)
	}
	q.stop()
	if got := strings.Count(out.String(), "\n"); got != 10 || !strings.HasPrefix(out.String(), "line 0\nline 1\n") {
		t.Errorf("wrote %q", out.String())
	}
	if n, err := q.Write([]byte("after\n")); n != 6 || err != nil || strings.Contains(out.String(), "after") {
		t.Errorf("a line after stop: %d, %v, %q", n, err, out.String())
	}
}

func TestAFullPipeHoldsUpNobodyAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		q := newLineQueue(writer, 2)
		for range 10 { // nobody reads: this must not block
			fmt.Fprintln(q, "x")
		}
		synctest.Wait()
		told := make(chan string)
		go func() {
			all, _ := io.ReadAll(reader)
			told <- string(all)
		}()
		q.stop()
		writer.Close()
		if all := <-told; !strings.Contains(all, "log lines dropped") {
			t.Errorf("nobody was told of the dropped lines: %q", all)
		}
	})
}

func TestStopDoesNotWaitForEverForAReaderThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		q := newLineQueue(writer, 2)
		fmt.Fprintln(q, "x")
		q.stop() // returns by its own time limit
		reader.Close()
	})
}
