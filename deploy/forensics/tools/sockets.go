package main

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

const mostSockets = 20_000

type socket struct {
	Protocol string `json:"protocol"`
	Local    string `json:"local"`
	Remote   string `json:"remote,omitempty"`
	State    string `json:"state,omitempty"`
	// Which process has it open: `socket:[INODE]` among its files.
	Inode uint64 `json:"inode"`
}

// https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html, include/net/tcp_states.h
var tcpStates = []string{"", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait", "closed", "close-wait", "last-ack", "listening", "closing", "new-syn-received"}

// readSockets reads those of the pod's network namespace, which all its containers share.
func readSockets(pid int) (sockets []socket, missing []string) {
	sockets = []socket{}
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix"} {
		table, err := readAtMost(procPath(pid, "net", protocol), 16<<20)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			missing = append(missing, protocol+" sockets: "+missingReason(err))
			continue
		}
		for number, line := range strings.Split(string(table), "\n") {
			one, ok := parseSocket(protocol, line)
			if number == 0 || !ok {
				continue
			}
			if len(sockets) == mostSockets {
				return sockets, append(missing, "only the first "+strconv.Itoa(mostSockets)+" sockets")
			}
			sockets = append(sockets, one)
		}
	}
	return sockets, missing
}

func parseSocket(protocol, line string) (socket, bool) {
	fields := strings.Fields(line)
	if protocol == "unix" {
		if len(fields) < 7 {
			return socket{}, false
		}
		inode, _ := strconv.ParseUint(fields[6], 10, 64)
		return socket{Protocol: protocol, Local: strings.Join(fields[7:], " "), Inode: inode}, true
	}
	if len(fields) < 10 {
		return socket{}, false
	}
	local, okLocal := address(fields[1])
	remote, okRemote := address(fields[2])
	if !okLocal || !okRemote {
		return socket{}, false
	}
	inode, _ := strconv.ParseUint(fields[9], 10, 64)
	one := socket{Protocol: protocol, Local: local, Inode: inode}
	state, _ := strconv.ParseUint(fields[3], 16, 8)
	if strings.HasPrefix(protocol, "tcp") && int(state) < len(tcpStates) {
		one.State = tcpStates[state]
	}
	if !strings.HasSuffix(remote, ":0") {
		one.Remote = remote
	}
	return one, true
}

// address reads `0100007F:1F90`: 32-bit words, each with its lowest byte first.
func address(text string) (string, bool) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return "", false
	}
	for at := 0; at < len(raw); at += 4 {
		raw[at], raw[at+1], raw[at+2], raw[at+3] = raw[at+3], raw[at+2], raw[at+1], raw[at]
	}
	ip, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return "", false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)).String(), true
}
