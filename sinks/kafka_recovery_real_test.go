//go:build real

package sinks

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kong/keg"
)

// A broker is stopped, killed and paused under Sends that are tried again until
// they are acknowledged. Everything acknowledged must be there.
func TestRealKafkaLosesNothingWhenTheBrokerGoesAndComesBack(t *testing.T) {
	faults := map[string]func(){
		"stopped": func() { service(t, "stop", "kafka"); service(t, "start", "kafka") },
		"killed":  func() { service(t, "kill", "kafka"); service(t, "start", "kafka") },
		"paused": func() {
			service(t, "pause", "kafka")
			time.Sleep(3 * time.Second) // longer than a Send's time
			service(t, "resume", "kafka")
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			topic := realTopic(t)
			sink := openSink(t, newPool(t), kafkaDestination(kafkaSettings(setting(t, "KEG_TEST_KAFKA"), topic)))
			var (
				mu           sync.Mutex
				acknowledged = map[string]bool{}
				failed       int
				stop         = make(chan struct{})
				senders      sync.WaitGroup
			)
			for s := range 8 {
				senders.Go(func() {
					for i := 0; ; i++ {
						id := fmt.Sprintf("%d-%d", s, i)
						for {
							ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
							err := sink.Send(ctx, testEvent(id))
							cancel()
							mu.Lock()
							if err == nil {
								acknowledged[id] = true
							} else {
								failed++
							}
							mu.Unlock()
							if err == nil {
								break
							}
							if keg.IsPermanent(err) {
								t.Errorf("a permanent error: %v", err)
								return
							}
							select {
							case <-stop:
								return
							case <-time.After(50 * time.Millisecond):
							}
						}
						select {
						case <-stop:
							return
						case <-time.After(time.Millisecond):
						}
					}
				})
			}
			count := func() int {
				mu.Lock()
				defer mu.Unlock()
				return len(acknowledged)
			}
			reach := func(n int) {
				for deadline := time.Now().Add(time.Minute); count() < n; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(deadline) {
						t.Errorf("only %d events were acknowledged in a minute, want %d", count(), n)
						return
					}
				}
			}
			reach(200)
			fault()
			back := time.Now()
			reach(count() + 200)
			t.Logf("200 events %v after the fault", time.Since(back).Round(time.Millisecond))
			close(stop)
			senders.Wait()

			times := map[string]int{}
			for _, r := range realRecords(t, topic) {
				times[strings.TrimPrefix(string(r.Value), "data of ")]++
			}
			doubled := 0
			for id := range acknowledged {
				switch times[id] {
				case 0:
					t.Errorf("%s was acknowledged and is not there", id)
				case 1:
				default:
					doubled++
				}
			}
			t.Logf("%d acknowledged, %d Sends failed, %d events there more than once", len(acknowledged), failed, doubled)
			if doubled > failed {
				t.Errorf("%d events are there more than once after %d failed Sends", doubled, failed)
			}
		})
	}
}
