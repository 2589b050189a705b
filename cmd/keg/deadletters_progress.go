package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/kong/keg/console"
)

// progress shows on a terminal how far a long work is; elsewhere it shows
// nothing.
type progress struct {
	w     io.Writer // nil: nowhere
	began time.Time
	bar   *progressbar.ProgressBar
}

// patience is how long a work may take before its progress is shown.
const patience = 500 * time.Millisecond

func newProgress(w io.Writer, output string) *progress {
	if file, ok := w.(*os.File); !ok || output == "json" || !term.IsTerminal(int(file.Fd())) {
		w = nil
	}
	return &progress{w: w, began: time.Now()}
}

func (p *progress) show(at console.Progress) {
	if p.w == nil || at.Total == 0 || time.Since(p.began) < patience {
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(at.Total, // -1 shows a spinner
			progressbar.OptionSetWriter(p.w), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	seen := at.Done + at.Left + at.Failed
	if at.Total > 0 {
		seen = min(seen, at.Total) // which was counted before, and may have grown
	}
	_ = p.bar.Set64(seen)
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
