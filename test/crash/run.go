package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// config is what a run is made of.
type config struct {
	keg         string   // the program
	env         []string // what it gets beside what every run gives it
	persistence string   // a URL; "" runs without a store
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

// harness is one run under way.
type harness struct {
	config
	ledger   *ledger
	receiver *receiver
	node     *node
	random   *rand.Rand

	mu           sync.Mutex // guards what progress shows
	kills, stops int
}

// drive sends under kills, then lets the node deliver what it owes, stop in
// order, and show that it owes nothing any more.
func (h *harness) drive(ctx context.Context, random func(stream uint64) *rand.Rand) error {
	more, enough := context.WithCancel(ctx)
	defer enough()
	var senders sync.WaitGroup
	limit := rate.NewLimiter(rate.Limit(h.rate), 10)
	var all []*sender
	send := func(name, url string, stream uint64, run func(s *sender, ctx, more context.Context)) {
		s := newSender(name, url, h.ledger, random(stream), limit)
		all = append(all, s)
		senders.Go(func() { run(s, ctx, more) })
	}
	for i := range h.senders {
		send(fmt.Sprint("http", i), "http://"+h.node.source+"/", uint64(100+i), (*sender).run)
	}
	for i := range h.batchers {
		send(fmt.Sprint("batch", i), "http://"+h.node.source+"/", uint64(200+i), (*sender).runBatches)
	}
	if h.kongSenders > 0 {
		url, stop, err := startGateway(ctx, h.node)
		if err != nil {
			return err
		}
		defer stop()
		for i := range h.kongSenders {
			send(fmt.Sprint("kong", i), url, uint64(300+i), (*sender).run)
		}
	}
	for h.kills < h.config.kills {
		if err := h.oneLife(ctx); err != nil {
			return fmt.Errorf("after %d kills: %w", h.kills, err)
		}
	}

	if err := h.start(); err != nil {
		return err
	}
	if err := h.lively(ctx); err != nil {
		return err
	}
	h.receiver.well.Store(true)
	enough()
	if err := h.lastWords(&senders); err != nil {
		return err
	}
	for _, s := range all {
		if s.acknowledged == 0 {
			h.ledger.note(other, "%s: nothing that it sent was acknowledged", s.name)
		}
	}
	if err := h.drained(ctx); err != nil {
		return err
	}
	if err := h.end(); err != nil {
		return err
	}
	return h.nothingMore(ctx)
}

// inFlight are values of KEG_MAX_IN_FLIGHT: with few, most of what is stored is
// read from the store again.
var inFlight = []int{50, 500, 10_000}

func (h *harness) start() error {
	if err := h.node.start(inFlight[h.random.IntN(len(inFlight))]); err != nil {
		return err
	}
	return h.node.listens(h.patience)
}

// oneLife starts the node, lets it live, and ends it: mostly by a kill while it
// works, else while it starts and recovers, or while it stops; sometimes in order.
func (h *harness) oneLife(ctx context.Context) error {
	if h.random.IntN(100) < 15 {
		if err := h.node.start(inFlight[h.random.IntN(len(inFlight))]); err != nil {
			return err
		}
		if err := h.node.live(h.upTo(200 * time.Millisecond)); err != nil {
			return err
		}
		h.killed()
		return ctx.Err()
	}
	if err := h.start(); err != nil {
		return err
	}
	if h.random.IntN(8) == 0 {
		h.receiver.leave(h.upTo(500 * time.Millisecond))
	}
	if err := h.node.live(50*time.Millisecond + h.upTo(1950*time.Millisecond)); err != nil {
		return err
	}
	switch p := h.random.IntN(100); {
	case p < 15:
		killed, err := h.node.terminate(h.upTo(500 * time.Millisecond))
		if killed {
			h.killed()
		} else {
			h.stopped()
		}
		return errors.Join(err, ctx.Err())
	case p < 20:
		return errors.Join(h.end(), ctx.Err())
	}
	h.killed()
	return ctx.Err()
}

func (h *harness) upTo(most time.Duration) time.Duration {
	return time.Duration(h.random.Int64N(int64(most)))
}

// stopPatience is how long a node may take to stop in order: it waits for what is
// under way.
const stopPatience = 60 * time.Second

// end stops the node in order.
func (h *harness) end() error {
	killed, err := h.node.terminate(stopPatience)
	if killed {
		err = fmt.Errorf("keg has not stopped within %v", stopPatience)
	}
	h.stopped()
	return err
}

func (h *harness) killed() {
	h.node.kill()
	h.ledger.stopped()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kills++
}

func (h *harness) stopped() {
	h.ledger.stopped()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stops++
}

// lively waits until the least that makes a run worth something is acknowledged.
func (h *harness) lively(ctx context.Context) error {
	last, since := 0, time.Now()
	for {
		f, _, _ := h.ledger.sofar()
		if f.Acknowledged > last {
			last, since = f.Acknowledged, time.Now()
		}
		switch {
		case f.Acknowledged >= h.least:
			return nil
		case time.Since(since) > h.patience:
			return fmt.Errorf("only %d events were acknowledged, of %d at least: %s", f.Acknowledged, h.least, h.ledger.lastRefusal())
		}
		if err := errors.Join(h.node.live(50*time.Millisecond), ctx.Err()); err != nil {
			return err
		}
	}
}

// lastWords waits until each sender's last event is acknowledged.
func (h *harness) lastWords(senders *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	for deadline := time.Now().Add(h.patience); ; {
		select {
		case <-done:
			return nil
		default:
		}
		if err := h.node.live(10 * time.Millisecond); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the senders' last events are not acknowledged after %v, though nobody is killed: %s", h.patience, h.ledger.lastRefusal())
		}
	}
}

// drained waits until everything acknowledged has arrived, or nothing has gone
// forward for the patience that there is: then what is missing is lost.
func (h *harness) drained(ctx context.Context) error {
	owed, since := h.ledger.owed(), time.Now()
	for owed > 0 && time.Since(since) < h.patience {
		if err := h.node.live(50 * time.Millisecond); err != nil {
			return err
		}
		if now := h.ledger.owed(); now < owed {
			owed, since = now, time.Now()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// nothingMore starts the node once more. Everything was delivered and settled
// before it stopped in order, so nothing may come again.
func (h *harness) nothingMore(ctx context.Context) error {
	before, _, _ := h.ledger.sofar()
	if err := h.start(); err != nil {
		return err
	}
	if err := h.node.live(2 * time.Second); err != nil {
		return err
	}
	if after, _, _ := h.ledger.sofar(); after.Arrived > before.Arrived {
		h.ledger.note(repeated, "%d events came again after an orderly stop", after.Arrived-before.Arrived)
	}
	return errors.Join(h.end(), ctx.Err())
}

// showProgress writes a line every second until the returned function is called.
func (h *harness) showProgress(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	every := time.Second
	if h.line == "\n" {
		every = 10 * time.Second
	}
	go func() {
		defer close(ended)
		for tick := time.Tick(every); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
			}
			f, _, faults := h.ledger.sofar()
			h.mu.Lock()
			fmt.Fprintf(h.progress, "crash: %d/%d kills, %d orderly stops; %d events sent, %d acknowledged, %d deliveries, %d repeats; %d faults; seed %d  %s",
				h.kills, h.config.kills, h.stops, f.Sent, f.Acknowledged, f.Taken, f.Repeats, faults, h.seed, h.line)
			h.mu.Unlock()
		}
	}()
	return func() { cancel(); <-ended }
}
