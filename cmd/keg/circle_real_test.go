//go:build real

package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestASourceTopicThatIsAlsoADestinationIsRefusedAtStart(t *testing.T) {
	kafka, mqtt := service(t, "KEG_TEST_KAFKA"), service(t, "KEG_TEST_MQTT")
	for name, test := range map[string]struct{ source, routes, want string }{
		"a topic": {"kafka://" + kafka + "?topics=a|b", kafkaRoute(t, "b"),
			`the topic "b" of source "kafka://` + kafka + `?topics=a|b&group=keg" is also what destination "kafka://` + kafka + `/b" writes to`},
		"the same machine by another name": {"kafka:" + strings.Replace(kafka, "127.0.0.1", "localhost", 1), kafkaRoute(t, "keg.events"), `"keg.events"`},
		"a filter":                         {"mqtt:" + mqtt, fmt.Sprintf("routes: [{name: all, match: {}, destinations: [{type: mqtt, address: %q, topic: keg/events/x}]}]\n", mqtt), `"keg/events/#"`},
	} {
		t.Run(name, func(t *testing.T) {
			n := prepareNode(t, test.routes)
			n.args[len(n.args)-1] = test.source
			n.launch()
			if status := n.wait(); status != exitUsage {
				t.Errorf("exit status %d", status)
			}
			if said := n.said(); !strings.Contains(said, test.want) || !strings.Contains(said, "would come back for ever; read or write another topic") {
				t.Errorf("it says %s", said)
			}
		})
	}
}

// TestAnEventThatGoesRoundTwoTopicsIsStopped: two nodes write what the other
// reads, which neither can see.
func TestAnEventThatGoesRoundTwoTopicsIsStopped(t *testing.T) {
	there, back := uniqueTopic("there"), uniqueTopic("back")
	makeTopic(t, there, 1, nil)
	makeTopic(t, back, 1, nil)
	node := func(from, to string) *servedNode {
		n := prepareNode(t, kafkaRoute(t, to)).kept()
		return readingKafka(t, n, from).run()
	}
	one, two := node(there, back), node(back, there)
	load := startProducing(t, there, 1, 1)
	within(t, longPatience, "an event is produced", func() bool { return len(load.ids()) > 0 })
	load.stop()
	sent := len(load.ids())
	var dead []string
	one.eventually("every event is stopped", func() bool {
		dead = nil
		for _, n := range []*servedNode{one, two} {
			for _, d := range n.letters() {
				dead = append(dead, d.Error)
			}
		}
		return len(dead) >= sent
	})
	if len(dead) != sent || !strings.Contains(dead[0], "passed KEG 17 times: its routes lead in a circle") {
		t.Errorf("%d events, and these dead letters: %q", sent, dead)
	}
	for topic, want := range map[string]int{there: 9, back: 8} {
		for id, n := range kept(t, topic) {
			if n != want {
				t.Errorf("%s is in topic %s %d times, want %d", id, topic, n, want)
			}
		}
	}
}
