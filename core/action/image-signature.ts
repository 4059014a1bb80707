/** `unknown` is no finding: nobody could look, or nobody is trusted for the repository. Nothing may follow from it. */
export const signatureStates = ['signed', 'unsigned', 'unknown'] as const;
type SignatureState = (typeof signatureStates)[number];

/** What is known of the signature of one image that runs. */
export interface ImageCheck {
  readonly container: string;
  /** As the pod writes it. */
  readonly image: string;
  /** What really runs: `sha256:…`. */
  readonly digest?: string;
  readonly signature: SignatureState;
  /** Trusted identities that signed it. */
  readonly by: readonly string[];
  /** Why it is unsigned or unknown, or what else there is to say. */
  readonly reason?: string;
  /** Statements about it by trusted identities: the type of the predicate, and who made it. */
  readonly attestations: readonly { readonly type: string; readonly by: string }[];
}

/** Of several images: one that is unsigned decides, then one that nobody knows of. */
export function worstSignature(checks: readonly Pick<ImageCheck, 'signature'>[]): SignatureState {
  const states = new Set(checks.map(({ signature }) => signature));
  if (states.has('unsigned')) return 'unsigned';
  return states.size === 1 && states.has('signed') ? 'signed' : 'unknown';
}

/** `signed by …`, `unsigned: …`, `unknown: …`. */
export function signatureText({ signature, by, reason }: Pick<ImageCheck, 'signature' | 'by' | 'reason'>): string {
  if (signature === 'signed') return `signed by ${by.join(' and ')}`;
  return reason === undefined ? signature : `${signature}: ${reason}`;
}

/** As an incident remembers it. */
export interface PodImage extends ImageCheck {
  readonly podUid: string;
}

/** What an incident knows by now, with what a check has found; the last look at a container counts. */
export function withImages(known: readonly PodImage[], podUid: string, found: readonly ImageCheck[]): readonly PodImage[] {
  const looked = new Set(found.map(({ container }) => container));
  const others = known.filter((one) => one.podUid !== podUid || !looked.has(one.container));
  return [...others, ...found.map((one) => ({ ...one, podUid }))].slice(-mostImages);
}

/** What a card says of the image of an alert: of its container, or, where the alert names none, of all of its pod. */
export function signatureOfAlert(
  known: readonly PodImage[],
  { pod, container }: { readonly pod?: { readonly uid?: string }; readonly container?: { readonly name?: string } },
): string | undefined {
  const ofPod = known.filter(({ podUid }) => podUid === pod?.uid);
  const named = ofPod.filter((one) => one.container === container?.name);
  const texts = [...new Set((named.length > 0 ? named : ofPod).map(signatureText))];
  return texts.length === 0 ? undefined : texts.join('; ');
}

/** What the records of an incident say of its images. That nobody has looked is said, too: it is no sign that they are signed. */
export function imagesLine(checks: readonly Pick<ImageCheck, 'container' | 'signature' | 'by' | 'reason'>[]): string {
  if (checks.length === 0) return 'Signatures of its images: not checked in this incident.';
  const each = [...new Set(checks.map((check) => `${check.container} ${signatureText(check)}`))];
  return `Signatures of its images: ${each.slice(0, mostShown).join('; ')}${each.length > mostShown ? ' and more' : ''}.`;
}

const mostShown = 5;

/** An incident must not grow without bound: it remembers the last ones. */
const mostImages = 50;
