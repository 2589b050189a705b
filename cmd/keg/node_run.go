package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/kong/keg/console"
	"github.com/kong/keg/outbox"
	"github.com/kong/keg/outbox/embedded"
)

// run serves until ctx ends or a part fails, then stops in order: the ways in
// take no more and let what is under way end, then the hub, the sinks, the status
// listener, and last the store.
func (n *node) run(ctx context.Context) error {
	ways, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { n.phase.Store(console.Stopping) })()
	ways.Go(func() error {
		if err := n.server.Serve(ctx); err != nil {
			return fmt.Errorf("plugin server: %w", err)
		}
		return nil
	})
	for _, s := range n.sources {
		ways.Go(func() error {
			err := n.inTurn(ctx, "source "+s.Name, syscall.EADDRINUSE, func() error { return s.Run(ctx, s.port) })
			if err != nil {
				return fmt.Errorf("source %s: %w", s.Name, err)
			}
			return nil
		})
	}
	if n.routes != nil {
		ways.Go(func() error { n.routes.run(ctx); return nil })
	}
	ways.Go(func() error { return n.start(ctx) })
	stopConsole := n.runConsole(ctx, ways)
	err := ways.Wait()
	err = errors.Join(err, n.drain())
	stopConsole()
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	return err
}

// start opens the store, and lets what waits in it go.
func (n *node) start(ctx context.Context) error {
	if n.store != nil {
		var away *outbox.UnavailableError
		set := false
		err := n.inTurn(ctx, "store "+n.storeAt.String(), embedded.ErrInUse, func() error {
			opened, err := n.storeAt.open(ctx, n.log, n.maxKept)
			switch {
			case err == nil:
				n.store.set(opened)
				set = true
			case errors.Is(err, embedded.ErrInUse):
				n.store.waits("the store is still that of the keg before this one")
			}
			return err
		})
		if !set { // those that wait for it would hold up the stop
			n.store.giveUp("the store was not opened, and KEG stops")
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &away): // nobody's mistake: it may be there at the next start
			return err
		case err != nil:
			return misuse(err)
		}
		n.log.Info("events are kept until they are delivered", "store", n.storeAt.String())
	}
	n.hub.Start()
	n.phase.CompareAndSwap(console.Starting, console.Serving)
	return nil
}

// runConsole runs the status listener until the returned function is called,
// which waits for its end. It outlives ctx, so that it can tell of the drain.
func (n *node) runConsole(ctx context.Context, ways *errgroup.Group) (stop func()) {
	if n.console == nil {
		return func() {}
	}
	until, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		ended <- n.inTurn(ctx, "status listener", syscall.EADDRINUSE, func() error { return n.console.Run(until) })
	}()
	done := make(chan struct{})
	ways.Go(func() error {
		select {
		case err := <-ended:
			close(done)
			if errors.Is(err, syscall.EADDRINUSE) {
				err = misuse(fmt.Errorf("%w\nChoose another address with --status-listen HOST:PORT (KEG_STATUS_LISTEN), or leave it out with off", err))
			}
			return err
		case <-ctx.Done():
			go func() { <-ended; close(done) }()
			return nil
		}
	})
	return func() { cancel(); <-done }
}

// inTurn does something that the keg before this one may still stand in the way
// of, with the error taken: while Kong reloads, both run, and the one before
// holds its addresses and its store until it has ended. Where no keg was before
// this one, that error is its end, as any other is.
func (n *node) inTurn(ctx context.Context, what string, taken error, do func() error) error {
	waits := rate.Sometimes{Interval: time.Minute}
	for {
		err := do()
		if err == nil || !errors.Is(err, taken) || !n.server.TookOver() {
			return err
		}
		waits.Do(func() {
			n.log.Warn("waiting for what the keg serve before this one still holds; if Kong is not reloading, two are running: "+
				"stop one, or give it a --socket, addresses and a store of its own", "what", what)
		})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// drain ends what is under way, within drainTime.
func (n *node) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	// What log phases left behind still has to go through the hub, and may not take
	// all its time.
	early, cut := context.WithTimeout(ctx, drainTime/3)
	defer cut()
	err := errors.Join(n.logRoom.Close(early), n.hub.Close(ctx))
	return errors.Join(err, n.pool.Close())
}
