package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// figuresOfNode are sums over the labels of the node's metrics, by name.
type figuresOfNode map[string]float64

// metrics asks the node for its figures.
func (n *node) metrics(ctx context.Context) (figuresOfNode, error) {
	body, err := n.ask(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	figures := figuresOfNode{}
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		if value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64); err == nil && name != "#" {
			figures[name] += value
		}
	}
	return figures, nil
}

// ask gets a page of the status listener.
func (n *node) ask(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.status+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s is answered %s: %s", path, response.Status, body)
	}
	return string(body), err
}

// tellsTheTruth sees to it that the node, with everything delivered, says so: it is
// ready, and its store is empty, without dead letters.
func (h *harness) tellsTheTruth(ctx context.Context) error {
	if !h.status {
		return nil
	}
	var wrong error
	for deadline := time.Now().Add(h.patience); ; {
		if err := errors.Join(h.node.live(50*time.Millisecond), ctx.Err()); err != nil {
			return err
		}
		if wrong = h.truth(ctx); wrong == nil {
			return nil
		}
		if time.Now().After(deadline) {
			h.ledger.note(other, "everything has arrived, and the status listener says otherwise: %v", wrong)
			return nil
		}
	}
}

func (h *harness) truth(ctx context.Context) error {
	if _, err := h.node.ask(ctx, "/readyz"); err != nil {
		return err
	}
	figures, err := h.node.metrics(ctx)
	if err != nil {
		return err
	}
	expected := []string{"keg_ready", "keg_in_flight_deliveries", "keg_panics_total"}
	if h.persistence != "" {
		expected = append(expected, "keg_store_up", "keg_store_bytes")
	}
	for _, name := range expected {
		if _, ok := figures[name]; !ok {
			return fmt.Errorf("there is no %s", name)
		}
	}
	for _, name := range []string{"keg_backlog_deliveries", "keg_dead_letters_stored", "keg_in_flight_deliveries", "keg_panics_total"} {
		if n := figures[name]; n != 0 {
			return fmt.Errorf("%s is %v", name, n)
		}
	}
	return nil
}
