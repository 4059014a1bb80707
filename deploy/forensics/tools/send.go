package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const segmentBytes = 1 << 20

var sealedMagic = []byte("firebreak.sealed.v1\n")

// sendFile writes a file for one reader only: whoever carries the bytes, kubelet and API server too, sees none of it. First the sender's
// own public key (X25519, made for this file), then a stream in the form that Firebreak seals evidence in (see docs/evidence.md).
func sendFile(arguments []string) error {
	flags := flag.NewFlagSet("send", flag.ExitOnError)
	name := flags.String("file", "", "what is sent")
	to := flags.String("to", "", "the reader's public X25519 key, in base64")
	open := wayFlags(flags)
	flags.Parse(arguments)
	reader, err := base64.StdEncoding.DecodeString(*to)
	if err != nil {
		return fail(exitUsage, "-to is not a key in base64")
	}
	public, err := ecdh.X25519().NewPublicKey(reader)
	if err != nil {
		return fail(exitUsage, "-to is not an X25519 key")
	}
	file, err := os.Open(*name)
	if err != nil {
		return fail(exitRefused, "%s cannot be read", *name)
	}
	defer file.Close()
	own, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	shared, err := own.ECDH(public)
	if err != nil {
		return fail(exitUsage, "-to is not a usable key")
	}
	mine := own.PublicKey().Bytes()
	out, err := open()
	if err != nil {
		return err
	}
	if _, err := out.Write(mine); err != nil {
		return err
	}
	sum := sha256.New()
	counted := &counter{to: sum}
	key := keyed(shared, []byte("firebreak.send.v1\n"), mine, reader)
	if err := seal(out, io.TeeReader(file, counted), key); err != nil {
		return err
	}
	if err := out.finish(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stderr).Encode(map[string]any{
		"tool": version, "bytes": counted.bytes, "sha256": hex.EncodeToString(sum.Sum(nil)),
	})
}

func keyed(key []byte, parts ...[]byte) []byte {
	return keyedSum(key, bytes.Join(parts, nil))
}

func keyedSum(key, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	return mac.Sum(nil)
}

func seal(to io.Writer, from io.Reader, key []byte) error {
	head := append(bytes.Clone(sealedMagic), make([]byte, 32)...)
	rand.Read(head[len(sealedMagic):])
	block, err := aes.NewCipher(keyedSum(key, head))
	if err != nil {
		return err
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if _, err := to.Write(head); err != nil {
		return err
	}
	// One segment is held back: whether it is the last is known when nothing follows.
	now, next := make([]byte, segmentBytes), make([]byte, segmentBytes)
	size, err := readFull(from, now)
	for number := uint64(0); err == nil; number++ {
		following := 0
		if size == segmentBytes {
			if following, err = readFull(from, next); err != nil {
				return err
			}
		}
		nonce := make([]byte, 12)
		binary.BigEndian.PutUint64(nonce[3:], number)
		if following == 0 {
			nonce[11] = 1
		}
		if _, err := to.Write(box.Seal(nil, nonce, now[:size], nil)); err != nil {
			return err
		}
		if following == 0 {
			return nil
		}
		now, next, size = next, now, following
	}
	return err
}

// readFull reads as much as there is and fits.
func readFull(from io.Reader, into []byte) (int, error) {
	n, err := io.ReadFull(from, into)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}

// removeFiles takes the files of a folder away that begin so and were written since, and looks whether they are gone.
func removeFiles(arguments []string) error {
	flags := flag.NewFlagSet("remove", flag.ExitOnError)
	folder := flags.String("folder", "", "where they are")
	prefix := flags.String("prefix", "", "prefix of their names")
	since := flags.Int64("since", 0, "time since which they were written, in seconds since 1970")
	flags.Parse(arguments)
	removed, err := matching(*folder, *prefix, *since)
	if err != nil {
		return fail(exitRefused, "%s cannot be read", *folder)
	}
	for _, name := range removed {
		if err := os.Remove(filepath.Join(*folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(exitRefused, "%s cannot be removed", name)
		}
	}
	if left, err := matching(*folder, *prefix, *since); err != nil || len(left) > 0 {
		return fail(exitAlive, "%d files still exist", len(left))
	}
	return writeJSON(map[string][]string{"removed": removed})
}

func matching(folder, prefix string, since int64) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasPrefix(entry.Name(), prefix) && info.ModTime().Unix() >= since {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
