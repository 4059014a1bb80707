// firebreak-cut drops what the node it runs on remembers of the connections of one address: netfilter's connection
// tracking entries. Policies are asked about the first packet of a connection only, so that one which was open before
// the policy goes on; without its entry its next packet is a first one. It needs the node's network and CAP_NET_ADMIN, and
// changes nothing else. For a few seconds it drops again what comes back, since a policy may take that long to be in force.
//
// What it found is one JSON object, on standard output and as the container's termination message. Exit codes: 0 done,
// 2 not understood, 4 the table cannot be read or changed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

type result struct {
	// Table is how many entries the node has in all. None means that connections are tracked elsewhere.
	Table int `json:"table"`
	// Dropped is how many entries of the address were dropped, those that came back included.
	Dropped uint `json:"dropped"`
	// Left is how many established TCP connections of the address there were at the end.
	Left int `json:"left"`
}

const pause = 200 * time.Millisecond

// TCP_CONNTRACK_ESTABLISHED of linux/netfilter/nf_conntrack_tcp.h.
const established = 3

func main() {
	address := flag.String("address", "", "IP address of the pod")
	seconds := flag.Int("seconds", 3, "how long what comes back is dropped again")
	message := flag.String("message", "/dev/termination-log", "file that the result is written to as well")
	flag.Parse()
	ip := net.ParseIP(*address)
	if ip == nil || *seconds < 1 || *seconds > 20 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: firebreak-cut -address IP [-seconds 1..20]")
		os.Exit(2)
	}
	found, err := cut(ip, time.Duration(*seconds)*time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, "firebreak-cut:", err)
		os.Exit(4)
	}
	text, err := json.Marshal(found)
	if err == nil {
		err = os.WriteFile(*message, text, 0o644)
	}
	fmt.Println(string(text))
	if err != nil {
		fmt.Fprintln(os.Stderr, "firebreak-cut:", err)
		os.Exit(4)
	}
}

func cut(ip net.IP, window time.Duration) (result, error) {
	var found result
	own, err := ownAddresses()
	if err != nil {
		return found, err
	}
	of := connections{ip: ip, own: own}
	family := netlink.InetFamily(unix.AF_INET)
	if ip.To4() == nil {
		family = unix.AF_INET6
	}
	all, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
	if err != nil {
		return found, err
	}
	found.Table = len(all)
	for end := time.Now().Add(window); ; time.Sleep(pause) {
		if time.Now().After(end) {
			break
		}
		dropped, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, of)
		if err != nil {
			return found, err
		}
		found.Dropped += dropped
	}
	time.Sleep(pause)
	if all, err = netlink.ConntrackTableList(netlink.ConntrackTable, family); err != nil {
		return found, err
	}
	for _, flow := range all {
		if tcp, isTCP := flow.ProtoInfo.(*netlink.ProtoInfoTCP); isTCP && tcp.State == established && of.MatchConntrackFlow(flow) {
			found.Left++
		}
	}
	return found, nil
}

// connections are those between an address and any other but the node's own: no policy applies to what the node itself
// sends, such as its probes.
type connections struct {
	ip  net.IP
	own []net.IP
}

func (c connections) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	ends := []net.IP{flow.Forward.SrcIP, flow.Forward.DstIP, flow.Reverse.SrcIP, flow.Reverse.DstIP}
	return contains(ends, c.ip) && !contains(c.own, flow.Forward.SrcIP) && !contains(c.own, flow.Forward.DstIP)
}

func contains(all []net.IP, one net.IP) bool {
	for _, ip := range all {
		if ip.Equal(one) {
			return true
		}
	}
	return false
}

func ownAddresses() ([]net.IP, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []net.IP
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok {
			own = append(own, network.IP)
		}
	}
	return own, nil
}
