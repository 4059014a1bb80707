package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// https://www.tcpdump.org/manpages/pcap-savefile.5.html: nanoseconds; https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
const (
	magic        = 0xa1b23c4d
	linkType     = 276
	longestFrame = 65_535
	linkHeader   = 20
	frameHeader  = 16
)

// https://man7.org/linux/man-pages/man7/packet.7.html
const (
	allProtocols     = 0x0003
	packetStatistics = 6
	bufferBytes      = 4 << 20
)

type trafficSummary struct {
	Tool    string `json:"tool"`
	Packets int    `json:"packets"`
	// Seen by the kernel, and lost because nobody took them in time.
	Dropped uint32 `json:"dropped"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	// The most bytes were reached before the time was over.
	Cut bool `json:"cut"`
}

// captureTraffic writes what goes through the pod's interfaces, loopback too, as a pcap stream. Nothing is resolved and nothing is sent.
func captureTraffic(arguments []string) error {
	flags := flag.NewFlagSet("traffic", flag.ExitOnError)
	flags.String("container", "", "not used: the pod's containers share their network")
	seconds := flags.Int("seconds", 30, "how long")
	most := flags.Int64("max-bytes", 16<<20, "maximum bytes to write")
	flags.Parse(arguments)
	source, err := openPackets()
	if err != nil {
		return fail(exitRefused, "packets cannot be read here: %v", err)
	}
	defer syscall.Close(source)
	sum := sha256.New()
	out := &counter{to: io.MultiWriter(os.Stdout, sum)}
	summary := trafficSummary{Tool: version}
	header := binary.LittleEndian.AppendUint32(nil, magic)
	header = binary.LittleEndian.AppendUint16(header, 2)
	header = binary.LittleEndian.AppendUint16(header, 4)
	header = binary.LittleEndian.AppendUint64(header, 0)
	header = binary.LittleEndian.AppendUint32(header, linkHeader+longestFrame)
	header = binary.LittleEndian.AppendUint32(header, linkType)
	if _, err := out.Write(header); err != nil {
		return err
	}
	frame := make([]byte, frameHeader+linkHeader+longestFrame)
	for end := time.Now().Add(time.Duration(*seconds) * time.Second); time.Now().Before(end); {
		n, from, err := syscall.Recvfrom(source, frame[frameHeader+linkHeader:], syscall.MSG_TRUNC)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		link, ok := from.(*syscall.SockaddrLinklayer)
		if !ok {
			continue
		}
		taken := min(n, longestFrame)
		size := frameHeader + linkHeader + taken
		if out.bytes+int64(size) > *most {
			summary.Cut = true
			break
		}
		describeFrame(frame, link, taken, n, time.Now())
		if _, err := out.Write(frame[:size]); err != nil {
			return err
		}
		summary.Packets++
	}
	summary.Dropped = droppedBy(source)
	summary.Bytes, summary.SHA256 = out.bytes, hex.EncodeToString(sum.Sum(nil))
	return json.NewEncoder(os.Stderr).Encode(summary)
}

// openPackets: without link headers, which differ from interface to interface; the kernel's note of the packet is written in their place.
func openPackets() (int, error) {
	source, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, int(swapped(allProtocols)))
	if err != nil {
		return 0, err
	}
	syscall.SetsockoptInt(source, syscall.SOL_SOCKET, syscall.SO_RCVBUF, bufferBytes)
	wait := syscall.Timeval{Usec: 200_000}
	if err := syscall.SetsockoptTimeval(source, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &wait); err != nil {
		syscall.Close(source)
		return 0, err
	}
	return source, nil
}

func describeFrame(frame []byte, link *syscall.SockaddrLinklayer, taken, whole int, at time.Time) {
	binary.LittleEndian.PutUint32(frame[0:], uint32(at.Unix()))
	binary.LittleEndian.PutUint32(frame[4:], uint32(at.Nanosecond()))
	binary.LittleEndian.PutUint32(frame[8:], uint32(linkHeader+taken))
	binary.LittleEndian.PutUint32(frame[12:], uint32(linkHeader+whole))
	head := frame[frameHeader : frameHeader+linkHeader]
	binary.BigEndian.PutUint16(head[0:], swapped(link.Protocol))
	binary.BigEndian.PutUint16(head[2:], 0)
	binary.BigEndian.PutUint32(head[4:], uint32(link.Ifindex))
	binary.BigEndian.PutUint16(head[8:], link.Hatype)
	head[10], head[11] = link.Pkttype, link.Halen
	copy(head[12:20], link.Addr[:])
}

// The kernel has this number with its high byte first.
func swapped(number uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, number))
}

func droppedBy(source int) uint32 {
	var numbers [2]uint32
	size := uint32(unsafe.Sizeof(numbers))
	syscall.Syscall6(syscall.SYS_GETSOCKOPT, uintptr(source), syscall.SOL_PACKET, packetStatistics,
		uintptr(unsafe.Pointer(&numbers)), uintptr(unsafe.Pointer(&size)), 0)
	return numbers[1]
}
