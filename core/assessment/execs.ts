import type { Alert } from '../alert/alert.ts';

/** Who ran a command in a pod. `person`: the person, if the account is one of a person. */
interface ExecBy {
  readonly account: string;
  readonly person?: string;
}

const mostPods = 100_000;

/** Remembers who has run commands in pods, by the API server's audit log. */
export class Execs {
  readonly #byPod = new Map<string, ExecBy>();
  readonly #personOf: (alert: Alert) => string | undefined;

  /** @param personOf the person whom an exec names. Absent: each account is one, unless it is one of a program or is impersonated */
  constructor(personOf: (alert: Alert) => string | undefined = accountAsPerson) {
    this.#personOf = personOf;
  }

  note(alert: Alert): void {
    const { apiRequest } = alert;
    if (apiRequest?.subresource !== 'exec' || apiRequest.namespace === undefined || apiRequest.name === undefined) return;
    const account = apiRequest.impersonates ?? apiRequest.account;
    // An account of a program is no person, whatever a roster says; who impersonates is not known to be the one that is named.
    const isPerson = !account.startsWith('system:') && apiRequest.impersonates === undefined;
    const person = isPerson ? this.#personOf(alert) : undefined;
    const pod = `${apiRequest.namespace}/${apiRequest.name}`;
    this.#byPod.delete(pod);
    this.#byPod.set(pod, { account, ...(person !== undefined && { person }) });
    if (this.#byPod.size > mostPods)
      for (const oldest of this.#byPod.keys()) {
        this.#byPod.delete(oldest);
        break;
      }
  }

  in(pod: Alert['pod']): ExecBy | undefined {
    return pod && this.#byPod.get(`${pod.namespace}/${pod.name}`);
  }
}

function accountAsPerson({ apiRequest }: Alert): string | undefined {
  return apiRequest?.account;
}
