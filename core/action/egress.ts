import type { OwnParts } from './action.ts';

/** `api.example.com`, `api.example.com:8443`, or `settings.endpoint`: the server whose address is in this setting. */
const host = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?$/;
const ofSetting = /^settings\.(?<name>[a-z][A-Za-z0-9]{0,39})$/;

/** What is wrong with an entry of `egress`, to be read after the name of the action; undefined if nothing is. */
export function problemOfEgress(entry: string, { settings }: Pick<OwnParts, 'settings'>): string | undefined {
  const name = ofSetting.exec(entry)?.groups?.name;
  if (name !== undefined)
    return settings.includes(name) ? undefined : `reaches settings.${name} and does not declare it: add ${name} to settings`;
  return host.test(entry)
    ? undefined
    : `cannot reach “${entry}”: name a host (api.example.com), a host and its port, or settings.NAME for the server in a setting`;
}

/** Whether an action may send a request to this address. A host that is declared is reached by https only. */
export function mayReach(
  { egress }: Pick<OwnParts, 'egress'>,
  settings: Readonly<Record<string, string>>,
  address: string,
): boolean {
  const asked = originOf(address);
  return asked !== undefined && egress.some((entry) => originOf(addressOf(entry, settings)) === asked);
}

function addressOf(entry: string, settings: Readonly<Record<string, string>>): string {
  const name = ofSetting.exec(entry)?.groups?.name;
  return name === undefined ? `https://${entry}` : (settings[name] ?? '');
}

/** Scheme, host and port, as the client will use them; undefined for what is no address of a web server. */
function originOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol, origin } = new URL(address);
  return protocol === 'https:' || protocol === 'http:' ? origin : undefined;
}
