package outbox

// deque is a queue of deliveries with two ends, in a ring that grows. The zero
// deque is empty.
type deque struct {
	ring  []*Delivery
	first int
	count int
}

func (q *deque) len() int { return q.count }

func (q *deque) pushBack(d *Delivery) {
	q.grow()
	q.ring[(q.first+q.count)%len(q.ring)] = d
	q.count++
}

func (q *deque) pushFront(d *Delivery) {
	q.grow()
	q.first = (q.first + len(q.ring) - 1) % len(q.ring)
	q.ring[q.first] = d
	q.count++
}

// popFront takes the first out; there must be one. An empty deque keeps no more
// than a small ring.
func (q *deque) popFront() *Delivery {
	d := q.ring[q.first]
	q.ring[q.first] = nil
	q.first = (q.first + 1) % len(q.ring)
	if q.count--; q.count == 0 && len(q.ring) > 1024 {
		*q = deque{}
	}
	return d
}

func (q *deque) grow() {
	if q.count < len(q.ring) {
		return
	}
	ring := make([]*Delivery, max(8, 2*len(q.ring)))
	n := copy(ring, q.ring[q.first:])
	copy(ring[n:], q.ring[:q.first])
	q.ring, q.first = ring, 0
}
