package clients

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/kong/keg"
)

func TestAddressGuard(t *testing.T) {
	const (
		always   = "metadata"  // refused whatever is configured
		private  = "no public" // refused unless allow_private
		accepted = ""
	)
	for _, tt := range []struct{ name, ip, refused string }{
		{"a public address", "93.184.215.14", accepted},
		{"a public IPv6 address", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", accepted},
		{"a public address behind NAT64", "64:ff9b::5db8:d70e", accepted},

		{"metadata", "169.254.169.254", always},
		{"metadata, mapped into IPv6", "::ffff:169.254.169.254", always},
		{"metadata, compatible IPv6", "::169.254.169.254", always},
		{"metadata, NAT64", "64:ff9b::a9fe:a9fe", always},
		{"metadata, NAT64 of local use, /96", "64:ff9b:1::a9fe:a9fe", always},
		{"metadata, NAT64 of local use, /48", "64:ff9b:1:a9fe:a9:fe00::", always},
		{"metadata, NAT64 of local use, /56", "64:ff9b:1:a9:fe:a9fe::", always},
		{"metadata, NAT64 of local use, /64", "64:ff9b:1:0:a9:fea9:fe00:0", always},
		{"metadata, 6to4", "2002:a9fe:a9fe::1", always},
		{"metadata, Teredo client", "2001:0:5db8:d70e::5601:5601", always},
		{"metadata, ISATAP", "fe80::5efe:169.254.169.254", always},
		{"metadata, ISATAP with the universal bit", "2606:2800::200:5efe:169.254.169.254", always},
		{"metadata of ECS", "169.254.170.2", always},
		{"metadata of EKS", "169.254.170.23", always},
		{"metadata of AWS in IPv6", "fd00:ec2::254", always},
		{"metadata of AWS in IPv6, with a zone", "fd00:ec2::254%eth0", always},
		{"metadata of OpenStack in IPv6, with a zone", "fe80::a9fe:a9fe%eth0", always},
		{"metadata of Alibaba", "100.100.100.200", always},
		{"metadata of Oracle", "192.0.0.192", always},
		{"metadata of Oracle, mapped", "::ffff:192.0.0.192", always},

		{"loopback", "127.0.0.1", private},
		{"loopback elsewhere", "127.9.9.9", private},
		{"loopback in IPv6", "::1", private},
		{"loopback, mapped", "::ffff:127.0.0.1", private},
		{"loopback, NAT64", "64:ff9b::7f00:1", private},
		{"loopback, 6to4", "2002:7f00:1::", private},
		{"private 10", "10.1.2.3", private},
		{"private 172.16", "172.31.255.255", private},
		{"private 192.168", "192.168.0.1", private},
		{"private, mapped", "::ffff:10.0.0.1", private},
		{"unique local", "fc00::1", private},
		{"unique local, fd", "fd12:3456::1", private},
		{"link-local", "169.254.1.1", private},
		{"link-local in IPv6", "fe80::1%eth0", private},
		{"site-local", "fec0::1", private},
		{"carrier-grade NAT", "100.64.0.1", private},
		{"multicast", "224.0.0.1", private},
		{"multicast in IPv6", "ff02::1", private},
		{"unspecified", "0.0.0.0", private},
		{"unspecified in IPv6", "::", private},
		{"this network", "0.1.2.3", private},
		{"broadcast", "255.255.255.255", private},
		{"documentation", "192.0.2.1", private},
		{"documentation in IPv6", "2001:db8::1", private},
		{"benchmarking", "198.19.0.1", private},
		{"reserved", "240.0.0.1", private},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := netip.AddrPortFrom(netip.MustParseAddr(tt.ip), 443).String()
			strict := AddressGuard(false)("tcp", address, nil)
			open := AddressGuard(true)("tcp", address, nil)

			for _, got := range []struct {
				setting string
				err     error
				refused bool
			}{
				{"allow_private false", strict, tt.refused != accepted},
				{"allow_private true", open, tt.refused == always},
			} {
				if (got.err != nil) != got.refused {
					t.Errorf("%s: %v", got.setting, got.err)
				}
				if got.err != nil && !keg.IsPermanent(got.err) {
					t.Errorf("%s: %v is not permanent", got.setting, got.err)
				}
			}
			last := strict
			if tt.refused == always {
				last = open
			}
			if last != nil && !strings.Contains(last.Error(), tt.refused) {
				t.Errorf("%v, want %q in it", last, tt.refused)
			}
		})
	}
}

func TestAddressGuardRefusesWhatItCannotRead(t *testing.T) {
	for _, address := range []string{"", "localhost:80", "1.2.3.4", "/tmp/socket"} {
		if err := AddressGuard(true)("tcp", address, nil); !keg.IsPermanent(err) {
			t.Errorf("%q: %v, want a permanent error", address, err)
		}
	}
}
