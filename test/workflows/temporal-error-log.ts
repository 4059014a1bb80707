import { DefaultLogger, Runtime } from '@temporalio/worker';

// What a test has refused or broken on purpose is no news. Temporal takes this once a process: whoever needs it imports this file.
Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
