package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	copiedBytes = 256 << 10
	// How far back the compressor looks, and how many pieces it works on at a time: it is a guest in the pod, within the pod's limits.
	windowBytes = 1 << 20
	atATime     = 2
)

// packed compresses what is written to it (Zstandard, RFC 8878), here on the node: kubelet, API server and Firebreak then carry less. It
// hashes what it gives on, so that a reader can tell whether all of it came.
type packed struct {
	encoder *zstd.Encoder
	bytes   int64
	held    *bufio.Writer
	out     *counter
	sum     hash.Hash
}

func newPacked(to io.Writer) (*packed, error) {
	sum := sha256.New()
	out := &counter{to: io.MultiWriter(to, sum)}
	held := bufio.NewWriterSize(out, copiedBytes)
	encoder, err := zstd.NewWriter(held, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(atATime),
		zstd.WithWindowSize(windowBytes))
	return &packed{encoder, 0, held, out, sum}, err
}

func (p *packed) Write(part []byte) (int, error) {
	n, err := p.encoder.Write(part)
	p.bytes += int64(n)
	return n, err
}

// Close writes what is held back; the hash is known then.
func (p *packed) Close() error {
	if err := p.encoder.Close(); err != nil {
		return err
	}
	return p.held.Flush()
}

func (p *packed) sha256() string { return hex.EncodeToString(p.sum.Sum(nil)) }

type counter struct {
	to    io.Writer
	bytes int64
}

func (c *counter) Write(part []byte) (int, error) {
	n, err := c.to.Write(part)
	c.bytes += int64(n)
	return n, err
}

// reader remembers that it was reading which failed, not writing.
type reader struct {
	from io.Reader
	err  error
}

func (r *reader) Read(part []byte) (int, error) {
	n, err := r.from.Read(part)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(part []byte) (int, error) {
	clear(part)
	return len(part), nil
}
