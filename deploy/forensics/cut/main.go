// firebreak-cut drops what the node it runs on remembers of the connections of one pod: netfilter's connection
// tracking entries. Policies are asked about the first packet of a connection only, so that one which was open before
// the policy goes on; without its entry its next packet is a first one. It needs the node's network and CAP_NET_ADMIN, and
// changes nothing else. For a few seconds it drops again what comes back, since a policy may take that long to be in force.
// With -count it drops nothing, and says what there is.
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
	"slices"
	"strings"
	"time"

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

// count is what -count says.
type count struct {
	// Table is how many entries the node has in all.
	Table int `json:"table"`
	// Open is how many established TCP connections of the address there are.
	Open int `json:"open"`
	// Others is how many other entries of the address there are: of UDP, and of TCP that is being opened or closed.
	Others int `json:"others"`
	// Neighbours is how many entries there are of addresses next to it, so of other pods of the node. Where there are some, the
	// connections of pods are tracked here, and an address without any has none.
	Neighbours int `json:"neighbours"`
}

const pause = 200 * time.Millisecond

func main() {
	address := flag.String("address", "", "IP addresses of the pod, separated by commas")
	seconds := flag.Int("seconds", 3, "how long to keep dropping connections that come back")
	onlyCount := flag.Bool("count", false, "only count, and drop nothing")
	message := flag.String("message", "/dev/termination-log", "file to write the result to as well")
	flag.Parse()
	ips := addressesIn(*address)
	if len(ips) == 0 || *seconds < 1 || *seconds > 20 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: firebreak-cut -address IP[,IP] [-seconds 1..20 | -count]")
		os.Exit(2)
	}
	var found any
	of, err := connectionsOf(ips)
	if err == nil {
		if *onlyCount {
			found, err = of.count()
		} else {
			found, err = of.cut(time.Duration(*seconds) * time.Second)
		}
	}
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

// addressesIn is empty where one of them is no address.
func addressesIn(text string) []net.IP {
	var ips []net.IP
	for one := range strings.SplitSeq(text, ",") {
		ip := net.ParseIP(one)
		if ip == nil {
			return nil
		}
		ips = append(ips, ip)
	}
	return ips
}

// connections are those between a pod's addresses and any other but the node's own: no policy applies to what the node
// itself sends, such as its probes.
type connections struct {
	ips []net.IP
	own []net.IP
}

func connectionsOf(ips []net.IP) (connections, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return connections{}, err
	}
	of := connections{ips: ips}
	for _, address := range all {
		if network, ok := address.(*net.IPNet); ok {
			of.own = append(of.own, network.IP)
		}
	}
	return of, nil
}

func (c connections) cut(window time.Duration) (result, error) {
	var found result
	seen, err := c.count()
	if err != nil {
		return found, err
	}
	found.Table = seen.Table
	for end := time.Now().Add(window); time.Now().Before(end); time.Sleep(pause) {
		for _, family := range c.families() {
			dropped, err := c.drop(family)
			if err != nil {
				return found, err
			}
			found.Dropped += dropped
		}
	}
	time.Sleep(pause)
	seen, err = c.count()
	found.Left = seen.Open
	return found, err
}

func (c connections) drop(family uint8) (uint, error) {
	var all [][]byte
	err := eachEntry(family, func(one entry) {
		if c.has(one) {
			all = append(all, slices.Clone(one.attributes))
		}
	})
	if err != nil {
		return 0, err
	}
	for _, attributes := range all {
		if err := drop(family, attributes); err != nil {
			return 0, err
		}
	}
	return uint(len(all)), nil
}

func (c connections) count() (count, error) {
	var found count
	for _, family := range c.families() {
		err := eachEntry(family, func(one entry) {
			found.Table++
			switch {
			case !c.has(one):
				if c.isOfNeighbour(one) {
					found.Neighbours++
				}
			case one.isEstablished:
				found.Open++
			default:
				found.Others++
			}
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (c connections) families() []uint8 {
	var all []uint8
	for _, ip := range c.ips {
		family := uint8(unix.AF_INET)
		if ip.To4() == nil {
			family = unix.AF_INET6
		}
		if !slices.Contains(all, family) {
			all = append(all, family)
		}
	}
	return all
}

func (c connections) has(one entry) bool {
	return (contains(c.ips, one.from) && !contains(c.own, one.to)) || (contains(c.ips, one.to) && !contains(c.own, one.from))
}

// isOfNeighbour says whether the node forwards it for another pod: the node is neither end of it, and one of them is next
// to an address of the pod.
func (c connections) isOfNeighbour(one entry) bool {
	for _, end := range []net.IP{one.from, one.to} {
		if contains(c.ips, end) || contains(c.own, end) {
			return false
		}
	}
	return slices.ContainsFunc(c.ips, func(ip net.IP) bool { return isNextTo(one.from, ip) || isNextTo(one.to, ip) })
}

// As nodes are given addresses for their pods: a /24, or a /64.
func isNextTo(one, ip net.IP) bool {
	mask := net.CIDRMask(64, 128)
	if ip.To4() != nil {
		mask = net.CIDRMask(24, 32)
	}
	masked := one.Mask(mask)
	return masked != nil && masked.Equal(ip.Mask(mask))
}

func contains(all []net.IP, one net.IP) bool {
	return slices.ContainsFunc(all, one.Equal)
}
