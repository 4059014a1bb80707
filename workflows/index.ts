/** What the workflow bundle exports: the names here are the workflow types. */
import './turns.ts';

export { control } from './control/control.ts';
export { incident } from './incident/incident.ts';
export { warmUp } from './warm-up.ts';
