/** `unknown` is not a finding: nobody could look, or nobody is trusted for the repository. Nothing may be concluded from it. */
export const signatureStates = ['signed', 'unsigned', 'unknown'] as const;
type SignatureState = (typeof signatureStates)[number];

/** What is known about the signature of one running image. */
export interface ImageCheck {
  readonly container: string;
  /** As the pod specifies it. */
  readonly image: string;
  /** What really runs: `sha256:…`. */
  readonly digest?: string;
  readonly signature: SignatureState;
  /** Trusted identities that signed it. */
  readonly by: readonly string[];
  /** Why it is unsigned or unknown, or what else there is to say. */
  readonly reason?: string;
  /** Statements about it by trusted identities: the predicate's type, and who made it. */
  readonly attestations: readonly { readonly type: string; readonly by: string }[];
}

/** The worst state among several images: unsigned first, then unknown. */
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

/** What an incident knows so far, updated with the results of a check; the last look at a container counts. */
export function withImages(known: readonly PodImage[], podUid: string, found: readonly ImageCheck[]): readonly PodImage[] {
  const looked = new Set(found.map(({ container }) => container));
  const others = known.filter((one) => one.podUid !== podUid || !looked.has(one.container));
  return [...others, ...found.map((one) => ({ ...one, podUid }))].slice(-mostImages);
}

/** What a card says about the image of an alert: that of its container, or, if the alert names none, those of its whole pod. */
export function signatureOfAlert(
  known: readonly PodImage[],
  { pod, container }: { readonly pod?: { readonly uid?: string }; readonly container?: { readonly name?: string } },
): string | undefined {
  const ofPod = known.filter(({ podUid }) => podUid === pod?.uid);
  const named = ofPod.filter((one) => one.container === container?.name);
  const texts = [...new Set((named.length > 0 ? named : ofPod).map(signatureText))];
  return texts.length === 0 ? undefined : texts.join('; ');
}

/** What the records of an incident say about its images. If nobody has looked, that is stated, too: it does not mean that they are signed. */
export function imagesLine(checks: readonly Pick<ImageCheck, 'container' | 'signature' | 'by' | 'reason'>[]): string {
  if (checks.length === 0) return 'Signatures of its images: not checked in this incident.';
  const each = [...new Set(checks.map((check) => `${check.container} ${signatureText(check)}`))];
  return `Signatures of its images: ${each.slice(0, mostShown).join('; ')}${each.length > mostShown ? ' and more' : ''}.`;
}

const mostShown = 5;

/** An incident must not grow without bound: it remembers the most recent ones. */
const mostImages = 50;
