//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	devConnections = 16
	devTime        = 5 * time.Second
)

// devFigures send events of 1 KB through the stand-in of `keg dev` to its webhook
// receiver, all of which is one process, from this one. Nothing is promised of
// it: the stand-in is no Kong, and sender and gateway share the processors.
func devFigures() ([]figure, error) {
	dir, keg, err := buildKeg()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(keg, "dev", "--proxy-listen", "127.0.0.1:0", "--webhook-listen", "127.0.0.1:0",
		"--admin-listen", "off", "--kafka-listen", "off", "--mqtt-listen", "off")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	url, err := eventsURL(out)
	if err != nil {
		return nil, err
	}
	sent, err := sendFor(devTime, url)
	if err != nil {
		return nil, err
	}
	return []figure{{
		what:     "events of 1 KB through the stand-in to a webhook",
		measured: fmt.Sprintf("%.0f a second (%d connections, %d processors)", float64(sent)/devTime.Seconds(), devConnections, runtime.NumCPU()),
	}}, nil
}

// eventsURL reads the welcome until keg is ready, and goes on reading, lest a
// full pipe holds keg up.
func eventsURL(welcome io.Reader) (string, error) {
	proxy := regexp.MustCompile(`^  proxy\s+(\S+)`)
	url := ""
	lines := bufio.NewScanner(welcome)
	for lines.Scan() && lines.Text() != "ready" {
		if found := proxy.FindStringSubmatch(lines.Text()); found != nil {
			url = "http://" + found[1] + "/events"
		}
	}
	if url == "" {
		return "", errors.New("keg dev did not say where it listens")
	}
	go func() { _, _ = io.Copy(io.Discard, welcome) }()
	return url, nil
}

// sendFor posts from devConnections connections at once, and returns how many
// events were taken. One that was not is an error.
func sendFor(length time.Duration, url string) (taken int64, err error) {
	body := `{"event_type":"payment.settled","event_source":"payment-service","note":"` + strings.Repeat("x", 950) + `"}`
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: devConnections}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	var count atomic.Int64
	failures := make(chan error, devConnections)
	var senders sync.WaitGroup
	end := time.Now().Add(length)
	for range devConnections {
		senders.Go(func() {
			for time.Now().Before(end) {
				if err := sendOne(client, url, body); err != nil {
					failures <- err
					return
				}
				count.Add(1)
			}
		})
	}
	senders.Wait()
	select {
	case err := <-failures:
		return 0, err
	default:
		return count.Load(), nil
	}
}

func sendOne(client *http.Client, url, body string) error {
	response, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return err
}
