// A DNS server for a pod of the lab: whatever it is asked on UDP port 53, the answer is 192.0.2.53.
package main

import (
	"log"
	"net"
)

func main() {
	server, err := net.ListenPacket("udp", ":53")
	if err != nil {
		log.Fatal(err)
	}
	for packet := make([]byte, 512); ; {
		size, from, err := server.ReadFrom(packet)
		if err != nil {
			log.Fatal(err)
		}
		if size < 17 {
			continue
		}
		if _, err := server.WriteTo(answer(packet[:size]), from); err != nil {
			log.Print(err)
		}
	}
}

// RFC 1035: the question comes back, and one A record of its name, which stands at offset 12.
func answer(query []byte) []byte {
	end := 12
	for end < len(query)-5 && query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12:min(end+5, len(query))]
	header := []byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}
	record := []byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 53}
	return append(append(header, question...), record...)
}
