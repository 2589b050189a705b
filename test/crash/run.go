package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// config is what a run is made of.
type config struct {
	keg         string   // the program
	env         []string // what it gets beside what every run gives it
	persistence string   // a URL; "" runs without a store
	status      bool     // whether it has a status listener, which is then believed
	kills       int
	seed        uint64
	senders     int // by HTTP
	batchers    int // by HTTP, of batches
	kongSenders int
	rate        float64       // events a second, of all senders together
	least       int           // events that must have been acknowledged, or the run has shown nothing
	patience    time.Duration // for something to go forward
	keep        bool          // the folder
	progress    io.Writer
	line        string // what ends a line of progress: "\r" on a terminal
}

// result is what a run has shown.
type result struct {
	figures
	kills, stops int // by -9, and orderly ends
	faults       []string
	faultCount   int
	took         time.Duration
}

// embedded stands for a store in the run's own folder.
const embedded = "file"

// run drives a node through so many kills and judges what arrived. Its error is
// of the harness, or of a node that does not come up; faults are in the result.
func run(ctx context.Context, c config) (result, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "keg-crash-")
	if err != nil {
		return result{}, err
	}
	if !c.keep {
		defer os.RemoveAll(dir)
	}
	if c.persistence == embedded {
		c.persistence = "file://" + filepath.Join(dir, "store")
	}
	random := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(c.seed, stream)) }
	l := newLedger(strconv.FormatUint(c.seed, 36) + "-" + strconv.FormatInt(began.UnixMilli(), 36))
	r, err := startReceiver(l, random(1))
	if err != nil {
		return result{}, err
	}
	defer r.close()
	n, err := newNode(c, dir, r.address)
	if err != nil {
		return result{}, err
	}
	defer n.log.Close()

	h := &harness{config: c, ledger: l, receiver: r, node: n, random: random(2)}
	defer h.showProgress(ctx)()
	err = h.drive(ctx, random)
	n.kill()
	for _, line := range n.panics() {
		l.note(other, "the log: %s", line)
	}
	if err == nil { // else what is missing had no chance to come
		l.close()
	}
	figures, faults, count := l.sofar()
	res := result{figures: figures, kills: h.kills, stops: h.stops, faults: faults, faultCount: count, took: time.Since(began)}
	if err != nil || count > 0 {
		fmt.Fprintf(c.progress, "\nthe end of keg's log:\n%s\n", n.logTail())
	}
	return res, err
}
