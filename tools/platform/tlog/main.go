// Checks a transparency log in a folder, and who has signed it, with the libraries of other logs: it knows nothing of Firebreak.
//
//	tlog FOLDER LOGKEY [WITNESSKEY]
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := check(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(folder, logKey string, witnessKeys []string) error {
	verifier, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	files := &client.FileFetcher{Root: folder}
	checker := fsck.New(verifier.Name(), verifier, files, leafHashes, fsck.Opts{N: 1})
	if err := checker.Check(context.Background()); err != nil {
		return err
	}
	for _, key := range witnessKeys {
		witness, err := fnote.NewVerifierForCosignatureV1(key)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
		if err != nil {
			return err
		}
		if _, err := note.Open(text, note.VerifierList(witness)); err != nil {
			return err
		}
	}
	return nil
}

func leafHashes(bundle []byte) ([][]byte, error) {
	entries := &api.EntryBundle{}
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range entries.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}
