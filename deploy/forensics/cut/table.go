package main

import (
	"errors"
	"io/fs"
	"net"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// TCP_CONNTRACK_ESTABLISHED of linux/netfilter/nf_conntrack_tcp.h.
const established = 3

// entry is one connection of the table.
type entry struct {
	// Who began it, and who answers. The addresses between them are of Services and of the node, which stands for either on
	// the way: what comes by a port of the node, or goes to the address of a Service, is no connection with the node.
	from, to      net.IP
	isEstablished bool
	// As the kernel has said it, which is how it is told to drop it.
	attributes []byte
}

// eachEntry reads the table of the node. It holds one message of the kernel at a time, some hundred entries: a busy node has
// hundreds of thousands, and the container of this program 64 MiB. What an entry holds is good during the call only.
func eachEntry(family uint8, see func(entry)) error {
	var failed error
	err := request(family, nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP).ExecuteIter(unix.NETLINK_NETFILTER, 0, func(message []byte) bool {
		var found entry
		if found, failed = entryIn(message); failed != nil {
			return false
		}
		see(found)
		return true
	})
	return errors.Join(failed, err)
}

// drop has the node forget what was read as attributes. Forgotten already is as good.
func drop(family uint8, attributes []byte) error {
	forget := request(family, nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK)
	forget.AddRawData(attributes)
	if _, err := forget.Execute(unix.NETLINK_NETFILTER, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func request(family uint8, operation, flags int) *nl.NetlinkRequest {
	made := nl.NewNetlinkRequest((unix.NFNL_SUBSYS_CTNETLINK<<8)|operation, flags)
	made.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return made
}

// entryIn reads a message: the header of netfilter, then attributes as linux/netfilter/nfnetlink_conntrack.h has them.
func entryIn(message []byte) (entry, error) {
	if len(message) < nl.SizeofNfgenmsg {
		return entry{}, unix.EBADMSG
	}
	found := entry{attributes: message[nl.SizeofNfgenmsg:]}
	var failed error
	inside := func(attributes []byte, wanted uint16) []byte {
		value, err := attribute(attributes, wanted)
		failed = errors.Join(failed, err)
		return value
	}
	source := func(tuple uint16) net.IP {
		addresses := inside(inside(found.attributes, tuple), nl.CTA_TUPLE_IP)
		if four := inside(addresses, nl.CTA_IP_V4_SRC); len(four) == net.IPv4len {
			return slices.Clone(four)
		}
		return slices.Clone(inside(addresses, nl.CTA_IP_V6_SRC))
	}
	found.from, found.to = source(nl.CTA_TUPLE_ORIG), source(nl.CTA_TUPLE_REPLY)
	state := inside(inside(inside(found.attributes, nl.CTA_PROTOINFO), nl.CTA_PROTOINFO_TCP), nl.CTA_PROTOINFO_TCP_STATE)
	found.isEstablished = len(state) > 0 && state[0] == established
	return found, failed
}

// attribute is empty where there is none of that type.
func attribute(attributes []byte, wanted uint16) ([]byte, error) {
	for len(attributes) >= syscall.SizeofRtAttr {
		length := int(nl.NativeEndian().Uint16(attributes))
		if length < syscall.SizeofRtAttr || length > len(attributes) {
			return nil, unix.EBADMSG
		}
		if nl.NativeEndian().Uint16(attributes[2:])&nl.NLA_TYPE_MASK == wanted {
			return attributes[syscall.SizeofRtAttr:length], nil
		}
		attributes = attributes[min(len(attributes), (length+3)&^3):]
	}
	return nil, nil
}
