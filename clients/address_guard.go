package clients

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/kong/keg"
)

// An address guard judges the IP address that is about to be dialled. That is
// the one place where a name's every trick is over: what DNS answered the last
// time, a redirect, or a number written in an odd base no longer matter.

// metadataAddresses are where clouds hand out credentials to whoever can reach
// them from inside a machine. Nothing that a route may rightly say needs them.
var metadataAddresses = addresses(
	"169.254.169.254", // AWS, Azure, Google, OpenStack, Oracle and most others
	"169.254.170.2",   // AWS ECS: credentials of a task
	"169.254.170.23",  // AWS EKS: credentials of a pod
	"fd00:ec2::254",   // AWS, IPv6
	"fd00:ec2::23",    // AWS EKS, IPv6
	"fd20:ce::254",    // Google, IPv6
	"fe80::a9fe:a9fe", // OpenStack, IPv6
	"100.100.100.200", // Alibaba
	"192.0.0.192",     // Oracle, classic
	"169.254.0.23",    // Tencent
	"168.63.129.16",   // Azure: WireServer, which hands out a machine's certificates
	"169.254.42.42",   // Scaleway
	"fd00:42::42",     // Scaleway, IPv6
)

// notPublic are the ranges that are not on the public internet (IANA's
// special-purpose registries) beside those that package netip knows.
var notPublic = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // carrier-grade NAT
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"198.18.0.0/15",   // benchmarking
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and broadcast
	"64:ff9b:1::/48",  // NAT64 of local use
	"100::/64",        // discard
	"2001:db8::/32",   // documentation
	"3fff::/20",       // documentation
	"5f00::/16",       // segment routing
	"fec0::/10",       // site-local of old
)

// AddressGuard returns the Control function of a [net.Dialer] that refuses
// metadata addresses always, and whatever is not public unless allowPrivate.
// Its refusals are permanent.
func AddressGuard(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return keg.Permanent(fmt.Errorf("%q is no IP address to connect to", address))
		}
		return judgeAddress(to.Addr(), allowPrivate)
	}
}

func judgeAddress(ip netip.Addr, allowPrivate bool) error {
	for _, ip := range everyForm(ip) {
		if slices.Contains(metadataAddresses, ip) {
			return keg.Permanent(fmt.Errorf("%s is a cloud's metadata address, which is never connected to", ip))
		}
		if !allowPrivate && !isPublic(ip) {
			return keg.Permanent(fmt.Errorf("%s is no public address, and allow_private is false", ip))
		}
	}
	return nil
}

func isPublic(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() &&
		!slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// everyForm returns ip, without zone and unmapped, and the IPv4 addresses that
// it may stand for on the way: a translator or tunnel takes them out again.
func everyForm(ip netip.Addr) []netip.Addr {
	ip = ip.WithZone("").Unmap()
	forms := []netip.Addr{ip}
	if ip.Is4() {
		return forms
	}
	b := ip.As16()
	embedded := func(b0, b1, b2, b3 byte) {
		forms = append(forms, netip.AddrFrom4([4]byte{b0, b1, b2, b3}))
	}
	switch {
	case compatible.Contains(ip), nat64.Contains(ip):
		embedded(b[12], b[13], b[14], b[15])
	case nat64Local.Contains(ip): // RFC 6052, section 2.2: by the operator's prefix length, /48, /56, /64 or /96
		embedded(b[6], b[7], b[9], b[10])
		embedded(b[7], b[9], b[10], b[11])
		embedded(b[9], b[10], b[11], b[12])
		embedded(b[12], b[13], b[14], b[15])
	case sixToFour.Contains(ip):
		embedded(b[2], b[3], b[4], b[5])
	case teredo.Contains(ip): // the server, and the client with its bits turned
		embedded(b[4], b[5], b[6], b[7])
		embedded(^b[12], ^b[13], ^b[14], ^b[15])
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP
		embedded(b[12], b[13], b[14], b[15])
	}
	return forms
}

var (
	compatible = netip.MustParsePrefix("::/96")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
)

func addresses(texts ...string) []netip.Addr {
	ips := make([]netip.Addr, len(texts))
	for i, text := range texts {
		ips[i] = netip.MustParseAddr(text)
	}
	return ips
}

func prefixes(texts ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		ps[i] = netip.MustParsePrefix(text)
	}
	return ps
}
