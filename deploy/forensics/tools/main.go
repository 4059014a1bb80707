// Command firebreak-tools looks into another container of its own pod through /proc. It comes with Firebreak in an image of its own, as an
// ephemeral container: whatever the suspect container brings along is never trusted, and never run.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

const version = "firebreak-tools/2"

// Exit codes, as Firebreak reads them. Everything else that goes wrong is 1, with a sentence on standard error.
const (
	exitUsage = 2
	// No process of the container is here.
	exitReplaced = 3
	exitAlive    = 4
	exitRefused  = 5
	// The pid is another process's by now.
	exitReused = 6
)

type failure struct {
	code int
	text string
}

func (f failure) Error() string { return f.text }

func fail(code int, format string, values ...any) error {
	return failure{code, fmt.Sprintf(format, values...)}
}

var commands = map[string]func(arguments []string) error{
	"wait":      wait,
	"processes": listProcesses,
	"kill":      killProcess,
	"look":      lookForProcess,
	"remove":    removeFiles,
	"send":      sendFile,
	"tar":       writeArchive,
	"listen":    listen,
	"dial":      dial,
	"traffic":   captureTraffic,
	"version":   func([]string) error { fmt.Println(version); return nil },
}

func main() {
	var run func([]string) error
	if len(os.Args) > 1 {
		run = commands[os.Args[1]]
	}
	if run == nil {
		fmt.Fprintln(os.Stderr, "usage: firebreak-tools wait|processes|kill|look|remove|send|tar|traffic|listen|dial|version")
		os.Exit(exitUsage)
	}
	err := run(os.Args[2:])
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if known, ok := err.(failure); ok {
		os.Exit(known.code)
	}
	os.Exit(1)
}

// wait keeps the container there for commands, and ends it by itself: an ephemeral container can never be taken away again.
func wait(arguments []string) error {
	flags := flag.NewFlagSet("wait", flag.ExitOnError)
	seconds := flags.Int("seconds", 600, "how long")
	flags.Parse(arguments)
	time.Sleep(time.Duration(*seconds) * time.Second)
	return nil
}

func writeJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
