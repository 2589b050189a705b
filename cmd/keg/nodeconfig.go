package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/kong/keg"
	"github.com/kong/keg/console"
	"github.com/kong/keg/router"
	"github.com/kong/keg/sinks"
	"github.com/kong/keg/sources"
)

// nodeConfig is what a node is built from: the settings, read and checked.
type nodeConfig struct {
	socket        string
	table         *router.Table
	tabled        bool             // somebody gave the table; false: there is no file
	routes        *routesFile      // which the table was read from; nil: from no file
	hup           <-chan os.Signal // asks for it to be read again; nil: nobody asks
	sources       []keg.SourceConfig
	maxAttempts   int
	maxInFlight   int
	maxEventBytes int64
	persist       bool
	storeAt       storeURL // where persist is true
	maxKept       int64    // bytes of the embedded store; 0: no bound
	statusListen  string   // "": off
}

// tableLoader reads the node's route table: the file at path, or, where path is
// empty, whatever the command falls back on. The file that it returns is followed
// from then on; it is nil where there is none to follow.
type tableLoader func(path string, o router.Options) (*router.Table, *routesFile, error)

// readNodeConfig reports every setting that is wrong, joined.
func readNodeConfig(s settings, load tableLoader) (nodeConfig, error) {
	var c nodeConfig
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	var err error

	c.maxAttempts, err = parse(s, "retry-max-attempts", wholeNumber(1, 1000))
	note(err)
	c.maxInFlight, err = parse(s, "max-in-flight", wholeNumber(1, 1_000_000))
	note(err)
	c.maxEventBytes, err = parse(s, "max-event-bytes", byteSize)
	note(err)
	if c.sources, err = sources.Parse(s.text("event-sources")); err != nil {
		// Without the text: it may hold a password, which Parse masks.
		note(fmt.Errorf("%s: %w", s["event-sources"].origin, err))
	}
	c.persist, err = parse(s, "persistence-enable", yesOrNo)
	note(err)
	if c.persist {
		c.storeAt, err = parseStoreURL(s.text("persistence-url"))
		if err != nil {
			note(fmt.Errorf("%s: %w", s["persistence-url"].origin, err)) // without the text: it may hold a password
		}
		c.maxKept, err = parse(s, "persistence-max-bytes", storeSize)
		note(err)
	}
	c.statusListen, err = parse(s, "status-listen", console.ParseListen)
	note(err)
	c.socket = s.text("socket")
	if c.socket == "" {
		c.socket = defaultSocket()
	}
	if c.maxAttempts > 0 {
		c.table, c.routes, err = load(s.text("routes"), c.routerOptions())
		c.tabled = c.routes == nil || c.routes.read.text.err == nil
		var unread *fs.PathError
		if errors.As(err, &unread) && s.text("routes") != "" {
			err = fmt.Errorf("%s=%q: %w", s["routes"].origin, s.text("routes"), unread.Err)
		}
		note(err)
	}
	if c.table != nil {
		c.sources = append(c.sources, c.table.Sources()...)
		note(sources.Clashes(c.sources))
	}
	return c, errors.Join(errs...)
}

// defaultRoutes is read where no file is named and this one exists.
const defaultRoutes = "/etc/keg/routes.yaml"

// routesOrNone is serve's tableLoader. A file that was named must be readable;
// without a name and a default file the node starts with no routes of its own.
func routesOrNone(log *slog.Logger) tableLoader {
	return func(path string, o router.Options) (*router.Table, *routesFile, error) {
		named := path != ""
		if !named {
			path = defaultRoutes
		}
		file := &routesFile{path: path, options: o}
		table, err := file.load()
		if !named && errors.Is(err, os.ErrNotExist) && file.read.text.err != nil {
			log.Info("no routes of the node's own: KEG_ROUTE_CONFIG is not set and " + defaultRoutes + " does not exist; plugins may carry theirs")
			return router.Empty(), file, nil
		}
		return table, file, err
	}
}

func (c nodeConfig) routerOptions() router.Options { return routerOptions(c.maxAttempts) }

func routerOptions(maxAttempts int) router.Options {
	return router.Options{Types: sinks.Types(), SourceTypes: sources.Types(), MaxAttempts: maxAttempts}
}

func defaultSocket() string {
	prefix := os.Getenv("KONG_PREFIX")
	if prefix == "" {
		prefix = "/usr/local/kong"
	}
	return filepath.Join(prefix, "keg.socket")
}

func yesOrNo(text string) (bool, error) {
	yes, err := strconv.ParseBool(text)
	if err != nil {
		return false, errors.New("must be true or false")
	}
	return yes, nil
}

func wholeNumber(least, most int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		return n, nil
	}
}

// storeSize reads 10GiB, or 0 for no bound.
func storeSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n != 0 && n < 64<<20 || n > 1<<62 {
		return 0, errors.New("must be a size of at least 64MiB, such as 10GiB, or 0 for no bound")
	}
	return int64(n), nil
}

// byteSize reads 1048576, 1MiB, 64KB.
func byteSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n < 1024 || n > 64<<20 {
		return 0, errors.New("must be a size from 1KiB to 64MiB, such as 1MiB")
	}
	return int64(n), nil
}
