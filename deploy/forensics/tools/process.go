package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// What /proc says of a process that tells it from any other: a pid is used again, a pid with a start time is not.
type identity struct {
	Pid int `json:"pid"`
	// In clock ticks since the node's start.
	StartTicks uint64 `json:"startTicks"`
	Parent     int    `json:"parent"`
	Name       string `json:"name"`
	State      string `json:"state"`
}

func procPath(pid int, parts ...string) string {
	return strings.Join(append([]string{"/proc", strconv.Itoa(pid)}, parts...), "/")
}

// identify reads /proc/PID/stat. The name in it is the process's own choice, brackets and line breaks too: what follows its last bracket counts.
func identify(pid int) (identity, error) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return identity{}, err
	}
	from, to := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return identity{}, fmt.Errorf("process %d has no readable stat", pid)
	}
	fields := strings.Fields(string(stat[to+1:]))
	if len(fields) < 20 {
		return identity{}, fmt.Errorf("process %d has no readable stat", pid)
	}
	parent, _ := strconv.Atoi(fields[1])
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return identity{pid, start, parent, string(stat[from+1 : to]), fields[0]}, err
}

func allPids() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	pids := []int{}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	sort.Ints(pids)
	return pids, nil
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

// containerOf tells a process's container by the path of its cgroup, which holds the id with every runtime.
func containerOf(pid int) string {
	paths, err := os.ReadFile(procPath(pid, "cgroup"))
	if err != nil {
		return ""
	}
	found := containerID.FindAll(paths, -1)
	if len(found) == 0 {
		return ""
	}
	return string(found[len(found)-1])
}

// isOwn: the processes of this very container, by their mount namespace.
func isOwn(pid int) bool {
	mine, errMine := os.Readlink("/proc/self/ns/mnt")
	theirs, err := os.Readlink(procPath(pid, "ns", "mnt"))
	if errMine == nil && err == nil {
		return mine == theirs
	}
	self := containerOf(os.Getpid())
	return self != "" && containerOf(pid) == self
}

// processesOf: the pids of one container. In a pod whose containers share their processes there are those of others too.
func processesOf(container string) ([]int, error) {
	pids, err := allPids()
	if err != nil {
		return nil, err
	}
	var inside, unknown []int
	for _, pid := range pids {
		if isOwn(pid) {
			continue
		}
		switch id := containerOf(pid); {
		case id == container:
			inside = append(inside, pid)
		case id == "":
			unknown = append(unknown, pid)
		}
	}
	if len(inside) > 0 {
		return inside, nil
	}
	// Where no cgroup tells, process 1 and all others are the container's: its process namespace is what we were put into.
	if len(unknown) > 0 && unknown[0] == 1 {
		return unknown, nil
	}
	return nil, fail(exitReplaced, "container %.12s has no process here", container)
}

func missingReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "not allowed"
	case errors.Is(err, fs.ErrNotExist):
		return "gone"
	}
	return "not readable"
}
