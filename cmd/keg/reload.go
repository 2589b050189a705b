package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/kong/keg"
	"github.com/kong/keg/router"
)

// reloader keeps a node's route table as its file has it. A good new file is
// taken whole, a bad one is told of, once for each content, and the table before
// it stays.
type reloader struct {
	file  *routesFile
	hup   <-chan os.Signal
	apply func(*router.Table) error
	log   *slog.Logger

	// A file may be seen half-written. It is taken once it has been at rest for
	// quiet, or has not come to rest in patience; and looked at every poll, since
	// not every file system tells of changes.
	quiet, patience, poll time.Duration

	// seen is the sum of what was judged last, and inForce of what the table was
	// made of. unapplied tells that they differ because a good table could not be
	// applied, for which the reason may lie outside the files (a certificate that
	// is not there yet).
	seen, inForce [sha256.Size]byte
	unapplied     bool

	mu    sync.Mutex
	state routesState
}

// routesState is where a node's routes come from and how they stand.
type routesState struct {
	File string
	// LoadedAt is when the table in force was taken; zero where there is none yet.
	LoadedAt time.Time
	// SHA256 is of the text of that table, as sha256sum prints it.
	SHA256 string
	Routes int
	// LastError is why what the file holds now is not in force, in words without
	// secrets; nil where it is. FailedAt is when that was found.
	LastError error
	FailedAt  time.Time
	// Reloads and Failures count tables taken and refused since the start.
	Reloads, Failures int64
}

// newReloader follows a file of which table, nil where there was none, was made
// and is in force. A signal on hup, which may be nil, has the file read again
// though nothing has changed. apply makes a table the node's, or says why not.
func newReloader(file *routesFile, table *router.Table, hup <-chan os.Signal, apply func(*router.Table) error, log *slog.Logger) *reloader {
	r := &reloader{
		file: file, hup: hup, apply: apply, log: log,
		quiet: 200 * time.Millisecond, patience: 2 * time.Second, poll: 5 * time.Second,
	}
	r.state.File = file.path
	r.seen = file.read.sum()
	if file.read.text.err == nil {
		r.took(table)
	}
	return r
}

// routes says how the routes stand. It may be called by any goroutine.
func (r *reloader) routes() routesState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// run follows the file until ctx ends.
func (r *reloader) run(ctx context.Context) {
	watch := newWatch(r.log)
	defer watch.close()
	r.follow(ctx, watch)
}

func (r *reloader) follow(ctx context.Context, watch *watch) {
	poll := time.NewTicker(r.poll)
	defer poll.Stop()
	for ctx.Err() == nil {
		if watch.follow(r.file.paths()) {
			r.look(ctx, false) // what changed before it was watched
			continue
		}
		select {
		case <-ctx.Done():
		case <-r.hup:
			r.reread()
		case e := <-watch.events():
			if watch.counts(e) {
				r.look(ctx, false)
			}
		case err := <-watch.errors():
			r.log.Debug("changes of files may have been missed", "error", err)
			r.look(ctx, false)
		case <-poll.C:
			r.look(ctx, true)
		}
	}
}

// reread takes the file as it is now, changed or not.
func (r *reloader) reread() {
	now := r.file.look()
	r.take(now, true)
}

// look takes the file where it has changed and come to rest. With again, it also
// tries once more what could not be applied.
func (r *reloader) look(ctx context.Context, again bool) {
	now := r.file.look()
	sum := now.sum()
	if sum == r.seen {
		if again && r.unapplied {
			r.take(now, false)
		}
		return
	}
	for deadline := time.Now().Add(r.patience); time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return
		case <-r.hup:
			r.reread()
			return
		case <-time.After(r.quiet):
		}
		now = r.file.look()
		before := sum
		if sum = now.sum(); sum == before {
			break
		}
	}
	if sum != r.seen {
		r.take(now, false)
	}
}

// take judges a reading. asked tells that somebody wants to hear of it, whatever
// it is.
func (r *reloader) take(now reading, asked bool) {
	table, err := r.file.parse(&now, readRegular)
	known := r.seen
	r.seen, r.unapplied = now.sum(), false
	if err == nil && !asked && r.seen == r.inForce {
		r.backAgain()
		return
	}
	if err == nil {
		err = r.apply(table)
		r.unapplied = err != nil
	}
	if err != nil {
		r.refused(err, asked || r.seen != known)
		return
	}
	before := r.routes()
	r.took(table)
	r.mu.Lock()
	r.state.Reloads++
	state := r.state
	r.mu.Unlock()
	r.log.Info("routes reloaded", "file", state.File, "routes", state.Routes, "sha256", state.SHA256, "routes_before", before.Routes)
}

// took notes that table, made of what the file was last read to hold, is in force.
func (r *reloader) took(table *router.Table) {
	r.inForce = r.seen
	sum := sha256.Sum256(r.file.read.text.bytes)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.LoadedAt, r.state.SHA256, r.state.Routes = time.Now(), hex.EncodeToString(sum[:]), len(table.Routes())
	r.state.LastError, r.state.FailedAt = nil, time.Time{}
}

// backAgain notes that the file holds what is in force, after it did not.
func (r *reloader) backAgain() {
	r.mu.Lock()
	failed := r.state.LastError != nil
	r.state.LastError, r.state.FailedAt = nil, time.Time{}
	r.mu.Unlock()
	if failed {
		r.log.Info("the routes file holds again what is in force", "file", r.file.path)
	}
}

// refused notes why the table in force stays, and tells the log what was not
// told before.
func (r *reloader) refused(err error, news bool) {
	r.mu.Lock()
	news = news || r.state.LastError == nil || r.state.LastError.Error() != err.Error()
	r.state.LastError = err
	if news {
		r.state.FailedAt = time.Now()
		r.state.Failures++
	}
	state := r.state
	r.mu.Unlock()
	if !news {
		return
	}
	problems := keg.Problems(err)
	r.log.Error("the routes file is not taken; the routes before it stay in force", "file", state.File, "problems", len(problems))
	for _, problem := range problems {
		var placed *router.Error
		if errors.As(problem, &placed) {
			r.log.Error("wrong in the routes file", "file", state.File, "line", placed.Line, "column", placed.Column, "path", placed.Path, "problem", placed.Problem)
			continue
		}
		r.log.Error("wrong in the routes file", "file", state.File, "problem", problem.Error())
	}
}
