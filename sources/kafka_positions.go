package sources

import (
	"sync"

	"github.com/IBM/sarama"
)

// positions is where a group's reading begins where the offset that it has
// committed does not say so: there is none, or it is not there any more.
type positions struct {
	mu sync.Mutex
	// seen has the number of partitions that a topic had when it was looked at
	// first, 0 where it was not there at any time.
	seen map[string]int
	// lost has the partitions whose offset is out of range.
	lost map[string]map[int32]bool
}

func (p *positions) see(topic string, partitions int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.seen[topic]; known && partitions > 0 {
		return
	}
	if p.seen == nil {
		p.seen = make(map[string]int)
	}
	p.seen[topic] = partitions
}

func (p *positions) outOfRange(topic string, partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == nil {
		p.lost = make(map[string]map[int32]bool)
	}
	if p.lost[topic] == nil {
		p.lost[topic] = make(map[int32]bool)
	}
	p.lost[topic][partition] = true
}

// settle sets the position of each claimed partition that needs it, before it is
// read.
func (p *positions) settle(client sarama.Client, session sarama.ConsumerGroupSession, k *kafka) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	newest := k.settings.Start == "newest"
	asked := make(map[string][]int32)
	for topic, partitions := range session.Claims() {
		for _, partition := range partitions {
			if newest || p.lost[topic][partition] {
				asked[topic] = append(asked[topic], partition)
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	admin, err := sarama.NewClusterAdminFromClient(client) // not closed: that would close the client
	if err != nil {
		return err
	}
	committed, err := admin.ListConsumerGroupOffsets(k.settings.Group, asked)
	if err != nil {
		return err
	}
	if committed.Err != sarama.ErrNoError {
		return committed.Err
	}
	for topic, partitions := range asked {
		for _, partition := range partitions {
			block := committed.GetBlock(topic, partition)
			switch {
			case block == nil:
				return sarama.ErrIncompleteResponse
			case block.Err != sarama.ErrNoError: // to take it for no offset would skip records
				return block.Err
			}
			if err := p.place(client, session, k, topic, partition, block.Offset); err != nil {
				return err
			}
		}
	}
	session.Commit() // so that a process which dies now begins at the same place
	return nil
}

// place sets one partition's position, whose committed offset is at, or -1.
func (p *positions) place(client sarama.Client, session sarama.ConsumerGroupSession, k *kafka, topic string, partition int32, at int64) error {
	if at < 0 {
		// What a partition that came later has from its beginning, nobody has read.
		if k.settings.Start == "newest" && int(partition) < p.seen[topic] && !p.lost[topic][partition] {
			end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return err
			}
			session.MarkOffset(topic, partition, end, "")
		}
		delete(p.lost[topic], partition)
		return nil
	}
	if !p.lost[topic][partition] {
		return nil
	}
	oldest, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return err
	}
	switch {
	case at < oldest:
		k.log.Error("records are gone that the source had not read: the topic's retention was shorter than the time in which nobody read",
			"source", k.name, "topic", topic, "partition", partition, "records", oldest-at, "from", at, "to", oldest)
		session.MarkOffset(topic, partition, oldest, "")
	case at > end:
		k.log.Error("the topic ends before what the source had read: it was made anew, or records are gone; it is read from its beginning",
			"source", k.name, "topic", topic, "partition", partition, "read", at, "oldest", oldest, "end", end)
		session.ResetOffset(topic, partition, oldest, "")
	}
	delete(p.lost[topic], partition)
	return nil
}
