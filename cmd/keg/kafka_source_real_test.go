//go:build real

package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestKafkaSourceUnderKills runs two nodes of one consumer group under load, and
// kills one and then the other at random moments, so that some kill falls
// between a destination's yes and the commit of the offset. Nothing is lost, and
// the events of a key come in order, where what comes again counts by its first
// time. Stores of their own keep an order each, and nodes have none between them.
func TestKafkaSourceUnderKills(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(n *servedNode, database string) *servedNode
		ordered bool
	}{
		"nothing is kept":           {func(n *servedNode, _ string) *servedNode { return n }, true},
		"kept in a database":        {(*servedNode).onDatabase, true},
		"kept in stores of the two": {func(n *servedNode, _ string) *servedNode { return n.kept() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // mostly, it waits for a group to notice, and for a lease to end
			topic, to, database := uniqueTopic("orders"), newCollector(t).on(t), newSchema(t)
			makeTopic(t, topic, 6, nil)
			to.slow = 2 * time.Millisecond
			var nodes []*servedNode
			for range 2 {
				n := test.prepare(prepareNode(t, httpRoute(to.address, "ordered: true, ")), database)
				nodes = append(nodes, readingKafka(t, n, topic).run())
			}
			load := startProducing(t, topic, 12, 30*time.Millisecond)
			arrived := func(n int) {
				t.Helper()
				until := len(to.all()) + n
				within(t, longPatience, "more events arrive", func() bool { return len(to.all()) >= until })
			}
			arrived(300)
			for round := range 2 {
				n := nodes[round%2]
				time.Sleep(time.Duration(rand.Int64N(int64(500 * time.Millisecond))))
				n.kill()
				n.run()
				arrived(300)
			}
			load.stop()
			arrive(t, load.ids(), to.all)
			if test.ordered {
				to.inOrder(t)
			}
			for _, n := range nodes {
				if status := n.stop(); status != 0 {
					t.Errorf("exit status %d", status)
				}
			}
		})
	}
}

// TestNodesOfAConsumerGroupComeAndGoInOrder: a rebalance without a kill brings
// nothing twice that its destination has answered, and nothing out of order.
func TestNodesOfAConsumerGroupComeAndGoInOrder(t *testing.T) {
	topic, to := uniqueTopic("orders"), newCollector(t).on(t)
	makeTopic(t, topic, 6, nil)
	node := func() *servedNode {
		return readingKafka(t, prepareNode(t, httpRoute(to.address, "ordered: true, ")), topic).run()
	}
	first := node()
	load := startProducing(t, topic, 12, 10*time.Millisecond)
	within(t, longPatience, "events arrive", func() bool { return len(to.all()) > 200 })
	second := node()
	within(t, longPatience, "the second node has its share", func() bool { return second.metric("keg_events_total", "kafka") > 200 })
	if status := first.stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	before := second.metric("keg_events_total", "kafka")
	within(t, longPatience, "the second node goes on", func() bool { return second.metric("keg_events_total", "kafka") > before+300 })
	load.stop()
	arrive(t, load.ids(), to.all)
	to.inOrder(t)
	for id, n := range to.all() {
		if n > 1 {
			t.Errorf("%s came %d times, though nobody was killed", id, n)
		}
	}
}
