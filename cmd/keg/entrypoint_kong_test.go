package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kong/keg/kong/gateway"
)

// beKong makes the test binary the `kong` that the image's entrypoint runs.
const beKong = "KEG_TEST_BE_KONG"

// kongSaw is what `kong` was given, in the file that KONG_SAW names.
type kongSaw struct {
	Args []string
	Env  map[string]string
}

// kongMain is a Kong in three commands: start records what it was given, and,
// where KONG_PROXY_LISTEN is set, serves as the stand-in, configured by the same
// variables as Kong; quit is Kong's own orderly end; any other records and ends.
func kongMain() {
	args := os.Args[1:]
	pid := filepath.Join(os.Getenv("KONG_PREFIX"), "nginx.pid")
	if len(args) > 0 && args[0] == "quit" {
		os.Exit(quitKong(pid))
	}
	saw := kongSaw{Args: args, Env: map[string]string{}}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		saw.Env[name] = value
	}
	text, err := json.Marshal(saw)
	check(err)
	record := os.Getenv("KONG_SAW")
	check(os.WriteFile(record+".part", text, 0o600))
	check(os.Rename(record+".part", record))
	if len(args) == 0 || args[0] != "start" {
		return
	}
	if status, err := strconv.Atoi(os.Getenv("KONG_ENDS_WITH")); err == nil {
		os.Exit(status)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGQUIT, syscall.SIGTERM)
	check(os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := serveAsKong(ctx)
	fmt.Println("kong: started")
	switch s := <-signals; s {
	case syscall.SIGQUIT: // as nginx: to the last request, for which the plugins are needed
		c, err := net.Dial("unix", saw.Env["KONG_PLUGINSERVER_EVENT_ROUTER_SOCKET"])
		check(err)
		check(c.Close())
		cancel()
		<-ended
		fmt.Println("kong: the last request ended, and the plugins were there")
	default:
		fmt.Println("kong: cut off by", s)
	}
	check(os.Remove(pid))
}

// serveAsKong runs the stand-in as the environment tells a Kong to.
func serveAsKong(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	if os.Getenv("KONG_PROXY_LISTEN") == "" {
		close(ended)
		return ended
	}
	config, err := os.ReadFile(os.Getenv("KONG_DECLARATIVE_CONFIG"))
	check(err)
	var servers []gateway.PluginServer
	for name := range strings.SplitSeq(os.Getenv("KONG_PLUGINSERVER_NAMES"), ",") {
		setting := "KONG_PLUGINSERVER_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		servers = append(servers, gateway.PluginServer{Name: name, Socket: os.Getenv(setting + "_SOCKET"),
			QueryCmd: []string{"sh", "-c", os.Getenv(setting + "_QUERY_CMD")}}) // Kong's popen is a shell, too
	}
	g, err := gateway.New(gateway.Options{Config: config, Proxy: os.Getenv("KONG_PROXY_LISTEN"), Admin: "off",
		Prefix: os.Getenv("KONG_PREFIX"), Log: slog.New(slog.DiscardHandler), PluginServers: servers})
	check(err)
	go func() { ended <- g.Run(ctx) }()
	<-g.Ready()
	return ended
}

func quitKong(pidFile string) (status int) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		fmt.Println("Error: nginx not running")
		return 1
	}
	pid, err := strconv.Atoi(string(text))
	check(err)
	check(syscall.Kill(pid, syscall.SIGQUIT))
	for err == nil {
		time.Sleep(5 * time.Millisecond)
		_, err = os.Stat(pidFile)
	}
	return 0
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
