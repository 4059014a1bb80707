package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodelease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// kwokConfigCommand prints kwok's configuration: its own stages (a node is Ready, a pod runs at once, a
// Job's pod completes, a deleted pod goes), and one log file that every container's log is read from.
// There is no ClusterExec: kwok's exec would run the command on this machine, as the user who started it.
func kwokConfigCommand() *cobra.Command {
	var logFile string
	c := &cobra.Command{Use: "kwok-config --pod-log FILE", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		logs, err := json.Marshal(map[string]any{
			"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": map[string]any{"name": "all"},
			"spec": map[string]any{"logs": []any{map[string]any{"logsFile": logFile}}},
		})
		if err != nil {
			return err
		}
		for _, document := range []string{string(logs), nodefast.DefaultNodeInit, nodelease.DefaultNodeHeartbeatWithLease,
			podfast.DefaultPodReady, podfast.DefaultPodComplete, podfast.DefaultPodDelete} {
			fmt.Fprintf(c.OutOrStdout(), "%s\n---\n", document)
		}
		return nil
	}}
	c.Flags().StringVar(&logFile, "pod-log", "", "file in CRI log format that all pods' logs are read from")
	_ = c.MarkFlagRequired("pod-log")
	return c
}
