import { sensorText } from '../../core/alert/sensor-text.ts';

interface ExecRequest {
  readonly command?: string;
  readonly container?: string;
}

/** `…/exec?command=sh&command=-c&command=id&container=app` → `sh -c id` in `app`. PodExecOptions of the API server's core group. */
export function execRequestOf(uri: string): ExecRequest {
  const query = uri.slice(0, 8_192).split('?', 2)[1];
  if (query === undefined) return {};
  const parameters = new URLSearchParams(query);
  const command = sensorText(parameters.getAll('command').slice(0, 256).join(' '));
  const container = sensorText(parameters.get('container'), 256);
  return { ...(command !== undefined && { command }), ...(container !== undefined && { container }) };
}
