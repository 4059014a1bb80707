package main

import (
	"errors"
	"flag"
	"os"
	"slices"
	"syscall"
	"time"
)

type wanted struct {
	container string
	pid       int
	start     uint64
	wait      time.Duration
}

func wantedProcess(name string, arguments []string) wanted {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	var one wanted
	flags.StringVar(&one.container, "container", "", "id of the container, 64 hex digits")
	flags.IntVar(&one.pid, "pid", 0, "its pid, as `processes` reports it")
	flags.Uint64Var(&one.start, "start", 0, "its start in ticks, as `processes` reports it")
	flags.DurationVar(&one.wait, "wait", 5*time.Second, "how long to wait until it has exited")
	flags.Parse(arguments)
	return one
}

// What became of a process: `killed` by us, `gone` before, `alive`.
type fate struct {
	State string `json:"state"`
	Name  string `json:"name,omitempty"`
}

// find says whether exactly this process is there. A zombie is gone: it has ended, and its parent has not asked yet.
func (w wanted) find() (fate, error) {
	found, err := identify(w.pid)
	if err != nil {
		return fate{State: "gone"}, nil
	}
	if found.StartTicks != w.start {
		return fate{}, fail(exitReused, "pid %d now belongs to another process: %q, started at %d", w.pid, found.Name, found.StartTicks)
	}
	if isKernelOrDead(found) {
		return fate{State: "gone", Name: found.Name}, nil
	}
	return fate{State: "alive", Name: found.Name}, nil
}

func lookForProcess(arguments []string) error {
	found, err := wantedProcess("look", arguments).find()
	if err != nil {
		return err
	}
	return writeJSON(found)
}

// killProcess ends one process of the container. The handle is taken before the process is looked at, so that the signal reaches the one
// that was looked at, or nobody: os.FindProcess holds a pidfd.
func killProcess(arguments []string) error {
	one := wantedProcess("kill", arguments)
	handle, err := os.FindProcess(one.pid)
	if err != nil {
		return writeJSON(fate{State: "gone"})
	}
	defer handle.Release()
	found, err := one.find()
	if err != nil {
		return err
	}
	if found.State == "gone" {
		return writeJSON(found)
	}
	inside, err := processesOf(one.container)
	if err != nil {
		return err
	}
	if !slices.Contains(inside, one.pid) {
		return fail(exitRefused, "process %d does not belong to container %.12s", one.pid, one.container)
	}
	if one.pid == 1 {
		// https://man7.org/linux/man-pages/man7/pid_namespaces.7.html: from inside, not even SIGKILL reaches it.
		return fail(exitRefused, "process 1 is the container's own: it ends with the pod")
	}
	if err := handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	for end := time.Now().Add(one.wait); ; time.Sleep(20 * time.Millisecond) {
		now, err := one.find()
		// A new process under its pid: it is gone all the same.
		if err != nil || now.State == "gone" {
			return writeJSON(fate{State: "killed", Name: found.Name})
		}
		if time.Now().After(end) {
			return fail(exitAlive, "process %d is still running", one.pid)
		}
	}
}
