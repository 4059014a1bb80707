package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Paths are the attacker's: as JSON all of them have to fit in what is read of standard error.
const mostSkipped, longestPath = 50, 150

type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

type skipped struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// summary is the last line on standard error: without it an archive is not whole, and its hash must be that of the bytes that came.
type summary struct {
	Tool    string `json:"tool"`
	Entries int    `json:"entries"`
	// Of what was written, which is compressed.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Of the archive before it was compressed.
	TarBytes int64 `json:"tarBytes"`
	// Why something that was wanted is not in it: the most bytes, or the time.
	Cut          []string  `json:"cut"`
	Mounts       []string  `json:"mounts"`
	Skipped      []skipped `json:"skipped"`
	SkippedCount int       `json:"skippedCount"`
}

type archive struct {
	root    *os.Root
	out     *tar.Writer
	buffer  []byte
	mounts  map[string]bool
	left    int64
	since   time.Time
	until   time.Time
	summary summary
}

// writeArchive streams the container's files as tar, compressed. Links are kept as links and never followed: the tree is the attacker's, and changes
// while it is read. Volumes and /proc are left out, unless they are named.
func writeArchive(arguments []string) error {
	flags := flag.NewFlagSet("tar", flag.ExitOnError)
	container := flags.String("container", "", "id of the container, 64 hex digits")
	most := flags.Int64("max-bytes", 1<<40, "maximum bytes of files to take")
	since := flags.Int64("changed-since", 0, "only files changed at this time or later, in seconds since 1970")
	seconds := flags.Int64("max-seconds", 1<<30, "how long to take files, in seconds")
	var volumes list
	flags.Var(&volumes, "volume", "a mount point to take as well; may be repeated")
	open := wayFlags(flags)
	flags.Parse(arguments)
	pids, err := processesOf(*container)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(procPath(pids[0], "root"))
	if err != nil {
		return err
	}
	defer root.Close()
	mounts, err := mountPoints(pids[0])
	if err != nil {
		return err
	}
	for _, volume := range volumes {
		delete(mounts, relative(volume))
	}
	out, err := open()
	if err != nil {
		return err
	}
	packed, err := newPacked(out)
	if err != nil {
		return err
	}
	one := &archive{root: root, out: tar.NewWriter(packed), buffer: make([]byte, copiedBytes), mounts: mounts, left: *most}
	one.summary = summary{Tool: version, Cut: []string{}, Mounts: []string{}, Skipped: []skipped{}}
	one.since, one.until = time.Unix(*since, 0), time.Now().Add(time.Duration(*seconds)*time.Second)
	from := flags.Args()
	if len(from) == 0 {
		from = []string{"/"}
	}
	for _, start := range from {
		if err := one.tree(relative(start)); err != nil {
			return err
		}
	}
	if err := one.out.Close(); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	if err := out.finish(); err != nil {
		return err
	}
	one.summary.Bytes, one.summary.SHA256, one.summary.TarBytes = packed.out.bytes, packed.sha256(), packed.bytes
	return json.NewEncoder(os.Stderr).Encode(one.summary)
}

func relative(name string) string {
	if clean := strings.TrimPrefix(path.Clean("/"+name), "/"); clean != "" {
		return clean
	}
	return "."
}

// tree takes a file or a folder with everything in it. Folders wait in a list, not in open descriptors: they can be as deep as somebody likes.
func (a *archive) tree(start string) error {
	folders := []string{}
	add := func(name string) error {
		info, err := a.root.Lstat(name)
		if err != nil {
			a.skip(name, missingReason(err))
			return nil
		}
		if info.IsDir() {
			folders = append(folders, name)
		}
		return a.entry(name, info)
	}
	if err := add(start); err != nil {
		return err
	}
	for len(folders) > 0 && !a.isLate() {
		last := len(folders) - 1
		name := folders[last]
		folders = folders[:last]
		if a.mounts[name] && name != "." {
			if len(a.summary.Mounts) < mostSkipped {
				a.summary.Mounts = append(a.summary.Mounts, shortened(name))
			}
			continue
		}
		if err := a.folder(name, add); err != nil {
			return err
		}
	}
	return nil
}

func (a *archive) folder(name string, add func(string) error) error {
	folder, err := a.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		a.skip(name, missingReason(err))
		return nil
	}
	defer folder.Close()
	for !a.isLate() {
		entries, err := folder.ReadDir(256)
		for _, entry := range entries {
			if err := add(path.Join(name, entry.Name())); err != nil {
				return err
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				a.skip(name, missingReason(err))
			}
			return nil
		}
	}
	return nil
}

// entry writes one file. Only what writing itself throws ends the archive.
func (a *archive) entry(name string, info fs.FileInfo) error {
	if a.isLate() || !a.isWanted(info) {
		return nil
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := a.root.Readlink(name)
		if err != nil {
			a.skip(name, missingReason(err))
			return nil
		}
		link = target
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		a.skip(name, "not a file, folder, link or device")
		return nil
	}
	header.Name, header.Format = name, tar.FormatPAX
	if info.IsDir() {
		header.Name += "/"
	}
	if !info.Mode().IsRegular() {
		a.summary.Entries++
		return a.out.WriteHeader(header)
	}
	// Not to wait for a pipe that has taken the file's place.
	file, err := a.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		a.skip(name, missingReason(err))
		return nil
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil || !os.SameFile(info, opened) {
		a.skip(name, "it was replaced while being read")
		return nil
	}
	if header.Size > a.left {
		a.cut("more bytes than allowed")
		a.skip(name, "more than allowed")
		return nil
	}
	a.left -= header.Size
	a.summary.Entries++
	if err := a.out.WriteHeader(header); err != nil {
		return err
	}
	return a.content(name, file, header.Size)
}

// content writes exactly as many bytes as the header says: a file that has become shorter is filled up, and that is said.
func (a *archive) content(name string, file io.Reader, size int64) error {
	source := &reader{from: file}
	written, err := io.CopyBuffer(a.out, io.LimitReader(source, size), a.buffer)
	if err != nil && source.err == nil {
		return err
	}
	if written == size {
		return nil
	}
	a.skip(name, "only the first "+strconv.FormatInt(written, 10)+" bytes: it changed while being read, the rest is zeros")
	_, err = io.CopyN(a.out, zeros{}, size-written)
	return err
}

// isWanted by the time of its last change, which only the kernel writes; what a file says of its contents can be set to anything.
func (a *archive) isWanted(info fs.FileInfo) bool {
	system, ok := info.Sys().(*syscall.Stat_t)
	return !ok || !time.Unix(system.Ctim.Unix()).Before(a.since)
}

func (a *archive) isLate() bool {
	if time.Now().Before(a.until) {
		return false
	}
	a.cut("the time was over")
	return true
}

func (a *archive) cut(why string) {
	if !slices.Contains(a.summary.Cut, why) {
		a.summary.Cut = append(a.summary.Cut, why)
	}
}

func (a *archive) skip(name, why string) {
	a.summary.SkippedCount++
	if len(a.summary.Skipped) < mostSkipped {
		a.summary.Skipped = append(a.summary.Skipped, skipped{shortened(name), why})
	}
}

func shortened(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), longestPath)], "\uFFFD")
}

// mountPoints of the container, relative to its root. https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func mountPoints(pid int) (map[string]bool, error) {
	table, err := os.ReadFile(procPath(pid, "mountinfo"))
	if err != nil {
		return nil, err
	}
	points := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return nil, fmt.Errorf("the mounts of process %d are not readable", pid)
		}
		points[relative(unescape(fields[4]))] = true
	}
	return points, nil
}

// unescape reads the `\040` that the kernel writes for a blank.
func unescape(text string) string {
	for _, pair := range [][2]string{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text
}
