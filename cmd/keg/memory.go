package main

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/dustin/go-humanize"
)

// memoryShare is how much of a container's memory is keg's: Kong's workers live
// in the same container, and both must find room.
const memoryShare = 0.5

// collectAt is the garbage, in percent of what is in use, at which Go's collector
// sets to work. Little is in use beside a flow of events that are soon gone, so
// that Go's own 100 has it work all the time: at 200 an event by HTTP took 8 % less
// of a processor, and a full memory of deliveries some 30 MB more.
const collectAt = 200

// collectRarely tells Go's collector so. GOGC goes before it.
func collectRarely() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}

// limitMemory tells Go's collector of the memory limit that the container (its
// cgroup) has, and logs it once. It is a goal, not a wall: near it the collector
// works harder. GOMEMLIMIT and AUTOMEMLIMIT (a share such as 0.8, or off) go
// before it. Go itself keeps to the container's share of the processors.
func limitMemory(log *slog.Logger, container memlimit.Provider) {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare), memlimit.WithProvider(container))
	switch {
	case errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		log.Debug("no memory limit: keg runs in no container", "why", err)
	case err != nil:
		log.Warn("the container's memory limit is not kept to; set GOMEMLIMIT", "error", err)
	case limit == math.MaxInt64:
		log.Debug("no memory limit")
	default:
		log.Info("memory is limited", "limit", humanize.IBytes(uint64(limit)), "by", limitedBy())
	}
}

func limitedBy() string {
	for _, name := range []string{"GOMEMLIMIT", "AUTOMEMLIMIT"} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return "container"
}
