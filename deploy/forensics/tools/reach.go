package main

import (
	"encoding/json"
	"errors"
	"flag"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// listen takes connections and closes them again: something to be reached.
func listen(arguments []string) error {
	flags := flag.NewFlagSet("listen", flag.ExitOnError)
	port := flags.Int("port", 0, "TCP port")
	seconds := flags.Int("seconds", 30, "how long")
	flags.Parse(arguments)
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	time.AfterFunc(time.Duration(*seconds)*time.Second, func() { os.Exit(0) })
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		connection.Close()
	}
}

// attempt is what became of one connection. Silent: nobody answered, as when a policy drops it.
type attempt struct {
	Address string `json:"address"`
	Outcome string `json:"outcome"`
}

const patience = 2 * time.Second

// dial tries to connect to each address, all at once, and sends nothing. Rounds: a policy takes a moment to be in force, and what was only
// just started to listen, so that the last round counts.
func dial(arguments []string) error {
	flags := flag.NewFlagSet("dial", flag.ExitOnError)
	flags.String("container", "", "ignored: every command that runs next to a container gets it")
	rounds := flags.Int("rounds", 1, "how often")
	message := flags.String("message", "", "file to write the result to as well")
	flags.Parse(arguments)
	attempts := make([]attempt, flags.NArg())
	for round := 0; round < *rounds; round++ {
		var all sync.WaitGroup
		for i, address := range flags.Args() {
			all.Go(func() { attempts[i] = attempt{address, outcomeOf(address)} })
		}
		all.Wait()
		if round < *rounds-1 {
			time.Sleep(patience / 2)
		}
	}
	if *message != "" {
		text, err := json.Marshal(attempts)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*message, text, 0o644); err != nil {
			return err
		}
	}
	return writeJSON(attempts)
}

func outcomeOf(address string) string {
	connection, err := net.DialTimeout("tcp", address, patience)
	var timed net.Error
	switch {
	case err == nil:
		connection.Close()
		return "connected"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timed) && timed.Timeout():
		return "silent"
	default:
		return "failed"
	}
}
