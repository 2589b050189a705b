package server

// breaksLines reports whether s holds what no header can: CR, LF or NUL.
func breaksLines(s string) bool {
	for len(s) >= 8 && !control(s) {
		s = s[8:]
	}
	for i := range len(s) {
		if c := s[i]; c == 0 || c == '\r' || c == '\n' {
			return true
		}
	}
	return false
}

// control reports whether one of the first eight bytes may be less than 16,
// all at once: such a byte borrows from the top bit, and others borrow from it
// only beside such a byte.
func control(s string) bool {
	const sixteens, tops = 0x1010101010101010, 0x8080808080808080
	eight := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	return (eight-sixteens)&^eight&tops != 0
}
