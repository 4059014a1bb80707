// A real OpenTelemetry collector with what the tests need of it: it receives OTLP and syslog, and writes what it has read to a file, one JSON object a line.
package main

import (
	"context"
	"log"
	"os"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/syslogreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
)

type fileConfig struct {
	Path string `mapstructure:"path"`
}

// One file for all signals: each line is whole.
type file struct {
	component.StartFunc
	component.ShutdownFunc
	path string
}

var writing sync.Mutex

func (f *file) write(line []byte, err error) error {
	if err != nil {
		return err
	}
	writing.Lock()
	defer writing.Unlock()
	out, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = out.Write(append(line, '\n'))
	return err
}

type traceFile struct{ *file }

func (traceFile) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f traceFile) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	return f.write((&ptrace.JSONMarshaler{}).MarshalTraces(traces))
}

type metricFile struct{ *file }

func (metricFile) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f metricFile) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	return f.write((&pmetric.JSONMarshaler{}).MarshalMetrics(metrics))
}

type logFile struct{ *file }

func (logFile) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f logFile) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	return f.write((&plog.JSONMarshaler{}).MarshalLogs(logs))
}

func fileExporter() exporter.Factory {
	at := func(config component.Config) *file { return &file{path: config.(*fileConfig).Path} }
	return exporter.NewFactory(
		component.MustNewType("file"),
		func() component.Config { return &fileConfig{} },
		exporter.WithTraces(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Traces, error) {
			return traceFile{at(config)}, nil
		}, component.StabilityLevelStable),
		exporter.WithMetrics(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Metrics, error) {
			return metricFile{at(config)}, nil
		}, component.StabilityLevelStable),
		exporter.WithLogs(func(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Logs, error) {
			return logFile{at(config)}, nil
		}, component.StabilityLevelStable),
	)
}

func components() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory(), syslogreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](fileExporter())
	if err != nil {
		return otelcol.Factories{}, err
	}
	// It tells nothing of itself.
	silent := telemetry.NewFactory(func() component.Config { return &struct{}{} })
	return otelcol.Factories{Receivers: receivers, Exporters: exporters, Telemetry: silent}, nil
}

func main() {
	settings := otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: "collector", Description: "receives OTLP and writes it to a file", Version: "1"},
		Factories: components,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{
			ResolverSettings: confmap.ResolverSettings{
				ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()},
				DefaultScheme:     "file",
			},
		},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
