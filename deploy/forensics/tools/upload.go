package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// A network that lets nothing through says nothing: the other way is there, and waits.
	reachedWithin  = 3 * time.Second
	answeredWithin = 30 * time.Second
)

// way is where a stream goes. The first line on standard output says which it is, if an address was named.
type way interface {
	io.Writer
	// finish says that this was all, and hears whether all has come.
	finish() error
}

// wayFlags adds the flags that name an address, and returns what opens the way that is there when they have been read.
func wayFlags(flags *flag.FlagSet) func() (way, error) {
	address := flags.String("upload", "", "where to send the stream, if it can be reached; otherwise it goes to standard output")
	pin := flags.String("pin", "", "SHA-256 of the certificate there, in hex")
	return func() (way, error) {
		if *address == "" {
			return onOutput(), nil
		}
		at, err := url.Parse(*address)
		if err != nil || at.Scheme != "https" || at.Port() == "" || len(*pin) != 64 {
			return nil, fail(exitUsage, "-upload is not an https address with a port, or -pin is not a SHA-256")
		}
		connection, err := reach(at.Host, *pin)
		if err != nil {
			return onOutput(), writeJSON(map[string]string{"way": "here", "why": err.Error()})
		}
		return upload(connection, at)
	}
}

type here struct{ io.Writer }

// onOutput is standard output, with as much room in the pipe as anybody may ask for: each time that the runtime sleeps until more has come costs both
// sides. Without it, it is slower. https://man7.org/linux/man-pages/man2/fcntl.2.html
func onOutput() way {
	const setPipeSize = 1031
	syscall.Syscall(syscall.SYS_FCNTL, os.Stdout.Fd(), setPipeSize, 1<<20)
	return here{os.Stdout}
}

func (here) finish() error { return nil }

// reach connects, and makes sure by its certificate that it is who was meant: names and addresses are the pod's to forge.
func reach(host, pin string) (*tls.Conn, error) {
	until := time.Now().Add(reachedWithin)
	plain, err := (&net.Dialer{Deadline: until}).Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	connection := tls.Client(gathered{plain, bufio.NewWriterSize(plain, copiedBytes)}, &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Not who has signed it counts, but which certificate it is; that its key is there, TLS checks all the same.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			sum := sha256.Sum256(state.PeerCertificates[0].Raw)
			if hex.EncodeToString(sum[:]) != strings.ToLower(pin) {
				return errors.New("the certificate is not the expected one")
			}
			return nil
		},
	})
	connection.SetDeadline(until)
	if err := connection.Handshake(); err != nil {
		plain.Close()
		return nil, err
	}
	connection.SetDeadline(time.Time{})
	return connection, nil
}

// gathered sends in few large pieces what TLS writes, which are records of 16 KiB. Who reads waits for an answer to all of it.
type gathered struct {
	net.Conn
	to *bufio.Writer
}

func (g gathered) Write(part []byte) (int, error) { return g.to.Write(part) }

func (g gathered) Read(part []byte) (int, error) {
	if err := g.to.Flush(); err != nil {
		return 0, err
	}
	return g.Conn.Read(part)
}

func (g gathered) Close() error {
	g.to.Flush()
	return g.Conn.Close()
}

// chunked is the body of a request of which nobody knows yet how long it becomes. https://www.rfc-editor.org/rfc/rfc9112#section-7.1
type chunked struct {
	to   *bufio.Writer
	from *bufio.Reader
	conn *tls.Conn
}

// upload makes itself known. The token is made here and said on standard output, which only who has started us can read: in an argument everybody
// could see it who sees processes or the API server's audit.
func upload(conn *tls.Conn, at *url.URL) (way, error) {
	token := make([]byte, 32)
	rand.Read(token)
	said := hex.EncodeToString(token)
	if err := writeJSON(map[string]string{"way": "upload", "token": said}); err != nil {
		return nil, err
	}
	one := &chunked{bufio.NewWriterSize(conn, copiedBytes), bufio.NewReader(conn), conn}
	fmt.Fprintf(one.to, "PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
		at.EscapedPath(), at.Host, said)
	if err := one.to.Flush(); err != nil {
		return nil, err
	}
	return one, one.answer("100")
}

func (c *chunked) Write(part []byte) (int, error) {
	if len(part) == 0 {
		return 0, nil
	}
	fmt.Fprintf(c.to, "%x\r\n", len(part))
	n, err := c.to.Write(part)
	if err != nil {
		return n, err
	}
	_, err = c.to.WriteString("\r\n")
	return n, err
}

func (c *chunked) finish() error {
	if _, err := c.to.WriteString("0\r\n\r\n"); err != nil {
		return err
	}
	if err := c.to.Flush(); err != nil {
		return err
	}
	err := c.answer("204")
	c.conn.Close()
	return err
}

// answer reads a status line and the headers behind it, which say nothing to us.
func (c *chunked) answer(wanted string) error {
	c.conn.SetReadDeadline(time.Now().Add(answeredWithin))
	status := ""
	for {
		line, err := c.from.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the address did not answer: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if status == "" {
			status = line
		}
	}
	if fields := strings.Fields(status); len(fields) < 2 || fields[1] != wanted {
		return fmt.Errorf("the address did not accept it: %.60q", status)
	}
	return nil
}
