package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An attacker may start processes and open files without end: what is more than these is counted, not listed.
const (
	mostProcesses     = 5_000
	mostFiles         = 1_000
	mostArgumentBytes = 64 << 10
	mostHashedBytes   = 256 << 20
)

// Of every Linux: what /proc counts in, whatever the kernel's own clock does.
const ticksPerSecond = 100

type process struct {
	identity
	StartedAt string `json:"startedAt,omitempty"`
	User      int    `json:"user"`
	Group     int    `json:"group"`
	Exe       string `json:"exe,omitempty"`
	// The file that runs is no longer in any folder.
	ExeDeleted bool       `json:"exeDeleted,omitempty"`
	ExeSHA256  string     `json:"exeSha256,omitempty"`
	Arguments  []string   `json:"arguments"`
	Folder     string     `json:"folder,omitempty"`
	Files      []openFile `json:"files"`
	// What could not be read, and why.
	Missing []string `json:"missing,omitempty"`
}

type openFile struct {
	Descriptor int    `json:"descriptor"`
	Path       string `json:"path"`
	Deleted    bool   `json:"deleted,omitempty"`
}

type listing struct {
	Tool      string    `json:"tool"`
	Container string    `json:"container"`
	TakenAt   string    `json:"takenAt"`
	Processes []process `json:"processes"`
	Sockets   []socket  `json:"sockets"`
	Missing   []string  `json:"missing,omitempty"`
}

// listProcesses writes what runs in the container, what each process has open, and the sockets of the pod.
func listProcesses(arguments []string) error {
	flags := flag.NewFlagSet("processes", flag.ExitOnError)
	container := flags.String("container", "", "id of the container, 64 hex digits")
	flags.Parse(arguments)
	pids, err := processesOf(*container)
	if err != nil {
		return err
	}
	list := listing{Tool: version, Container: *container, TakenAt: now(), Processes: []process{}, Sockets: []socket{}}
	if len(pids) > mostProcesses {
		list.Missing = append(list.Missing, "only the first "+strconv.Itoa(mostProcesses)+" of "+strconv.Itoa(len(pids))+" processes")
		pids = pids[:mostProcesses]
	}
	boot := bootTime()
	hashes := &hasher{known: map[[2]uint64]string{}, left: mostHashedBytes}
	for _, pid := range pids {
		if one, err := describe(pid, boot, hashes); err == nil {
			list.Processes = append(list.Processes, one)
		}
	}
	sockets, missing := readSockets(pids[0])
	list.Sockets = sockets
	list.Missing = append(list.Missing, missing...)
	return writeJSON(list)
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

func bootTime() int64 {
	stat, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(stat)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return seconds
		}
	}
	return 0
}

func describe(pid int, boot int64, hashes *hasher) (process, error) {
	known, err := identify(pid)
	if err != nil {
		return process{}, err
	}
	one := process{identity: known, Arguments: []string{}, Files: []openFile{}}
	if boot > 0 {
		started := time.UnixMilli(boot*1000 + int64(known.StartTicks)*1000/ticksPerSecond)
		one.StartedAt = started.UTC().Format(time.RFC3339Nano)
	}
	missing := func(what string, err error) { one.Missing = append(one.Missing, what+": "+missingReason(err)) }
	if info, err := os.Stat(procPath(pid)); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			one.User, one.Group = int(stat.Uid), int(stat.Gid)
		}
	}
	if exe, err := os.Readlink(procPath(pid, "exe")); err == nil {
		one.Exe, one.ExeDeleted = strings.CutSuffix(exe, " (deleted)")
		one.ExeSHA256 = hashes.of(procPath(pid, "exe"))
	} else if !isKernelOrDead(known) {
		missing("exe", err)
	}
	if text, err := readAtMost(procPath(pid, "cmdline"), mostArgumentBytes); err == nil {
		if trimmed := strings.TrimRight(string(text), "\x00"); trimmed != "" {
			one.Arguments = strings.Split(trimmed, "\x00")
		}
	} else {
		missing("arguments", err)
	}
	if folder, err := os.Readlink(procPath(pid, "cwd")); err == nil {
		one.Folder = folder
	}
	files, err := openFiles(pid)
	one.Files = append(one.Files, files...)
	if err != nil && !isKernelOrDead(known) {
		missing("files", err)
	} else if len(files) == mostFiles {
		one.Missing = append(one.Missing, "files: only the first "+strconv.Itoa(mostFiles))
	}
	return one, nil
}

// A zombie has no memory and no files any more.
func isKernelOrDead(known identity) bool { return known.State == "Z" || known.State == "X" }

func openFiles(pid int) ([]openFile, error) {
	folder, err := os.Open(procPath(pid, "fd"))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(mostFiles)
	if err == io.EOF {
		err = nil
	}
	files := []openFile{}
	for _, name := range names {
		descriptor, _ := strconv.Atoi(name)
		if path, err := os.Readlink(procPath(pid, "fd", name)); err == nil {
			clean, deleted := strings.CutSuffix(path, " (deleted)")
			files = append(files, openFile{descriptor, clean, deleted})
		}
	}
	sort.Slice(files, func(a, b int) bool { return files[a].Descriptor < files[b].Descriptor })
	return files, err
}

func readAtMost(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// hasher hashes each file once, and no more than so many bytes in all.
type hasher struct {
	known map[[2]uint64]string
	left  int64
}

func (h *hasher) of(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > h.left {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	place := [2]uint64{uint64(stat.Dev), stat.Ino}
	if hash, ok := h.known[place]; ok {
		return hash
	}
	sum := sha256.New()
	read, err := io.Copy(sum, io.LimitReader(file, h.left))
	h.left -= read
	if err != nil {
		return ""
	}
	h.known[place] = hex.EncodeToString(sum.Sum(nil))
	return h.known[place]
}
