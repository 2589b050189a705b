// Command crash kills keg while it works, again and again, and judges what it
// has promised. It runs a real `keg serve` on one store, sends it events from
// several senders, by its HTTP source and by a stand-in for Kong through the plugin
// socket, and receives what it delivers, sometimes failing. It kills the process
// with -9 at random times: while it works, starts, recovers, reloads or stops; and
// starts it again on the same store. At the end, everything that was acknowledged must
// have arrived at every destination it was owed to, with every byte as it was
// sent, and in the order of its key where the route is ordered; what came twice
// must be the same event; the process must stop in order and owe nothing more.
//
// What it cannot show: the kernel survives a kill, so that writes which no sync
// followed do too. What a power failure takes, the store's own tests take away.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	c := config{progress: os.Stderr, line: "\n", status: true}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		c.line = "\r"
	}
	flag.StringVar(&c.keg, "keg", os.Getenv("KEG_CRASH_KEG"), "the keg program; built from this tree where empty (KEG_CRASH_KEG)")
	flag.StringVar(&c.persistence, "persistence", embedded, "the store: file (in a folder of the run), a URL (variables are filled in: '$KEG_TEST_POSTGRES'), or none")
	flag.IntVar(&c.kills, "kills", 100, "how often to kill")
	flag.Uint64Var(&c.seed, "seed", 0, "the seed of all that is random; 0 takes one and tells it")
	flag.IntVar(&c.senders, "senders", 6, "senders to the HTTP source")
	flag.IntVar(&c.batchers, "batch-senders", 1, "senders of batches to the HTTP source")
	flag.IntVar(&c.kongSenders, "kong-senders", 4, "senders through the stand-in for Kong")
	flag.Float64Var(&c.rate, "rate", 500, "events (or batches) a second, of all senders together")
	flag.DurationVar(&c.patience, "patience", time.Minute, "how long to wait for something to go forward")
	flag.BoolVar(&c.keep, "keep", false, "keep the folder with the store and the log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

// leastEvents is how many events must have been acknowledged for each kill.
const leastEvents = 10

func command(ctx context.Context, c config) error {
	if flag.NArg() > 0 || c.kills < 1 || c.senders+c.batchers+c.kongSenders < 1 || c.rate <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	switch c.persistence {
	case embedded:
	case "none":
		c.persistence = ""
	default:
		written := c.persistence
		if c.persistence = os.ExpandEnv(written); c.persistence == "" {
			return fmt.Errorf("-persistence %s is empty: run this by test/services/run", written)
		}
	}
	c.least = leastEvents * c.kills
	if c.seed == 0 {
		c.seed = uint64(rand.Uint32())
	}
	if c.keg == "" {
		dir, err := os.MkdirTemp("", "keg-crash-program-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.keg = filepath.Join(dir, "keg")
		if out, err := exec.Command("go", "build", "-o", c.keg, "github.com/kong/keg/cmd/keg").CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	fmt.Fprintln(os.Stderr, "crash: seed", c.seed)
	res, err := run(ctx, c)
	fmt.Printf("%d kills, %d orderly stops in %v; seed %d\n%d events sent, %d acknowledged, %d sent again\n%d requests at the receiver, %d taken, %d of them repeats (%d for no reason)\n",
		res.kills, res.stops, res.took.Round(time.Second), c.seed, res.Sent, res.Acknowledged, res.Retries, res.Arrived, res.Taken, res.Repeats, res.Unexplained)
	for _, fault := range res.faults {
		fmt.Println("FAULT:", fault)
	}
	switch {
	case err != nil:
		return err
	case res.faultCount > 0:
		return fmt.Errorf("%d faults; run it again with -seed %d -keep", res.faultCount, c.seed)
	}
	fmt.Println("nothing acknowledged is missing; every byte and every key's order is as it was")
	return nil
}
