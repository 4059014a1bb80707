/**
 * Patterns that run in linear time by design: an automaton reads a text once, without backtracking. The texts are the attacker's, and anyone may write the
 * patterns; JavaScript's engine needs minutes for some combinations, and runs here where no flag can bound it. Patterns mean what they mean in JavaScript
 * without the flag `u`; what requires backtracking (a back reference, lookaround) is rejected.
 */
interface LinearPattern {
  readonly matches: (text: string) => boolean;
}

/** Maximum number of steps of a pattern: a repeated step counts once per repetition. */
const mostSteps = 1_000;
const mostRepeats = 200;
const longestSource = 1_000;
/** Maximum number of states cached per pattern; if a text leads to more, the cache starts over. */
const mostStates = 300;
const remembered = 128;
/** Maximum number of patterns cached: they come from configuration, never from alerts, and recur in several matches of several playbooks. */
const mostPatterns = 2_000;

type Ranges = readonly (readonly [number, number])[];

type Part =
  | { readonly kind: 'one'; readonly ranges: Ranges; readonly negated: boolean }
  | { readonly kind: 'at'; readonly where: 'start' | 'end' | 'word' | 'inside' }
  | { readonly kind: 'row'; readonly parts: readonly Part[] }
  | { readonly kind: 'either'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly part: Part; readonly least: number; readonly most: number };

type Step =
  | { readonly kind: 'one'; readonly has: (code: number) => boolean }
  | { readonly kind: 'at'; readonly where: 'start' | 'end' | 'word' | 'inside' }
  | { readonly kind: 'split'; readonly ways: number[] }
  | { readonly kind: 'match' };

/**
 * A pattern that may match anywhere in a text.
 * @throws RangeError for an invalid pattern, or one that cannot run in linear time.
 */
export function linearPattern(source: string, { ignoreCase = false }: { readonly ignoreCase?: boolean } = {}): LinearPattern {
  return madeOnce(`${ignoreCase ? 'i' : 'c'}/${source}`, () =>
    automatonOf(new Parser(source).read(), { ignoreCase, anywhere: true }),
  );
}

/** `*` stands for any text, `?` for one character, and `\` escapes either. The whole text must match. @throws RangeError */
export function globPattern(source: string): LinearPattern {
  return madeOnce(`g/${source}`, () => automatonOf(globParts(source), { ignoreCase: false, anywhere: false }));
}

function globParts(source: string): Part {
  if (source.length > longestSource) throw new RangeError(`it is longer than ${longestSource} characters`);
  const parts = [...source.matchAll(/\\?[\s\S]/g)].map(([written]): Part => {
    if (written === '*') return { kind: 'repeat', part: anything, least: 0, most: Number.POSITIVE_INFINITY };
    return written === '?' ? anything : literal(written.charCodeAt(written.length - 1));
  });
  return { kind: 'row', parts: [{ kind: 'at', where: 'start' }, ...parts, { kind: 'at', where: 'end' }] };
}

const made = new Map<string, LinearPattern>();

/** A pattern takes up to a megabyte, and the same source always yields the same pattern: workflows share this module (`service/temporal/bundle`). */
function madeOnce(key: string, make: () => LinearPattern): LinearPattern {
  const known = made.get(key);
  if (known) return known;
  const pattern = make();
  if (made.size >= mostPatterns) made.clear();
  made.set(key, pattern);
  return pattern;
}

function literal(code: number): Part {
  return { kind: 'one', ranges: [[code, code]], negated: false };
}

const anything: Part = { kind: 'one', ranges: [], negated: true };
const lineEnds: Ranges = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
];
const digits: Ranges = [[48, 57]];
const words: Ranges = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
];
const blanks: Ranges = [
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const sets: Readonly<Record<string, Ranges>> = { d: digits, w: words, s: blanks };
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };
const lastCode = 0xffff;

function without(ranges: Ranges): Ranges {
  const left: [number, number][] = [];
  let from = 0;
  for (const [begin, end] of ranges) {
    if (begin > from) left.push([from, begin - 1]);
    from = end + 1;
  }
  return from <= lastCode ? [...left, [from, lastCode]] : left;
}

class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    if (source.length > longestSource) throw new RangeError(`it is longer than ${longestSource} characters`);
    this.#source = source;
  }

  read(): Part {
    const part = this.#either();
    if (this.#at < this.#source.length) throw new RangeError('a ) has no matching (');
    return part;
  }

  #peek(): string {
    return this.#source.charAt(this.#at);
  }

  #take(): string {
    const char = this.#source.charAt(this.#at);
    if (char === '') throw new RangeError('it is incomplete');
    this.#at += 1;
    return char;
  }

  #takes(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #either(): Part {
    if (this.#depth > 50) throw new RangeError('its groups are nested too deeply');
    const rows: Part[] = [];
    do rows.push(this.#row());
    while (this.#takes('|'));
    const [only] = rows;
    return rows.length === 1 && only ? only : { kind: 'either', parts: rows };
  }

  #row(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && this.#peek() !== '|' && this.#peek() !== ')') parts.push(this.#repeated());
    return { kind: 'row', parts };
  }

  #repeated(): Part {
    const part = this.#one();
    const times = this.#times();
    if (!times) return part;
    // Greediness is ignored: it does not affect whether there is a match.
    this.#takes('?');
    if (part.kind === 'at') throw new RangeError('a position such as ^, $ or \\b cannot be repeated');
    if (this.#times()) throw new RangeError('a repetition is repeated: put the inner one into a group');
    return { kind: 'repeat', part, ...times };
  }

  #times(): { readonly least: number; readonly most: number } | undefined {
    if (this.#takes('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#takes('+')) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#takes('?')) return { least: 0, most: 1 };
    const [whole, least, comma, most] = /^\{(\d{1,4})(,?)(\d{0,4})\}/.exec(this.#source.slice(this.#at, this.#at + 12)) ?? [];
    if (whole === undefined || least === undefined) return undefined;
    this.#at += whole.length;
    const bounds = { least: Number(least), most: most ? Number(most) : comma ? Number.POSITIVE_INFINITY : Number(least) };
    if (bounds.most < bounds.least) throw new RangeError(`the upper limit of ${whole} is below the lower one`);
    if (bounds.least > mostRepeats || (bounds.most > mostRepeats && Number.isFinite(bounds.most)))
      throw new RangeError(`${whole} repeats more than ${mostRepeats} times`);
    return bounds;
  }

  #one(): Part {
    const char = this.#take();
    if (char === '(') return this.#group();
    if (char === '[') return this.#set();
    if (char === '.') return { kind: 'one', ranges: lineEnds, negated: true };
    if (char === '^') return { kind: 'at', where: 'start' };
    if (char === '$') return { kind: 'at', where: 'end' };
    if (char === '\\') return this.#escaped();
    if (char === '*' || char === '+' || char === '?') throw new RangeError(`a ${char} has nothing to repeat`);
    return literal(char.charCodeAt(0));
  }

  #group(): Part {
    if (this.#takes('?') && !this.#takes(':')) {
      const isNamed = this.#takes('<') && !this.#takes('=') && !this.#takes('!');
      if (!isNamed) throw new RangeError('lookaround is not supported, because it takes more than one pass over a text');
      while (this.#take() !== '>');
    }
    this.#depth += 1;
    const part = this.#either();
    this.#depth -= 1;
    if (!this.#takes(')')) throw new RangeError('a ( is not closed');
    return part;
  }

  #escaped(): Part {
    const char = this.#take();
    if (char === 'b' || char === 'B') return { kind: 'at', where: char === 'b' ? 'word' : 'inside' };
    if (/[1-9k]/.test(char))
      throw new RangeError('a backreference is not supported, because it takes more than one pass over a text');
    return { kind: 'one', ranges: this.#escapedSet(char), negated: false };
  }

  /** The character set after a `\`, also within brackets. */
  #escapedSet(char: string): Ranges {
    const set = sets[char.toLowerCase()];
    if (set) return char === char.toLowerCase() ? set : without(set);
    const control = controls[char];
    if (control !== undefined) return [[control, control]];
    if (char === 'x') return this.#hex(2);
    if (char === 'u') return this.#hex(4);
    if (/[a-z]/i.test(char)) throw new RangeError(`\\${char} is not supported`);
    return [[char.charCodeAt(0), char.charCodeAt(0)]];
  }

  #hex(length: number): Ranges {
    const written = this.#source.slice(this.#at, this.#at + length);
    if (written.length < length || !/^[0-9a-f]+$/i.test(written))
      throw new RangeError(`${length} hexadecimal digits are missing`);
    this.#at += length;
    const code = Number.parseInt(written, 16);
    return [[code, code]];
  }

  #set(): Part {
    const negated = this.#takes('^');
    const ranges: (readonly [number, number])[] = [];
    while (!this.#takes(']')) {
      const from = this.#member();
      const isRange = from.length === 1 && this.#peek() === '-' && this.#source.charAt(this.#at + 1) !== ']';
      if (!isRange) {
        ranges.push(...from);
        continue;
      }
      this.#take();
      const until = this.#member();
      const [begin, end] = [from[0]?.[0] ?? 0, until[0]?.[1] ?? 0];
      if (until.length !== 1 || end < begin) throw new RangeError('a range in brackets is out of order');
      ranges.push([begin, end]);
    }
    return { kind: 'one', ranges, negated };
  }

  #member(): Ranges {
    const char = this.#take();
    if (char !== '\\') return [[char.charCodeAt(0), char.charCodeAt(0)]];
    const escaped = this.#take();
    return escaped === 'b' ? [[8, 8]] : this.#escapedSet(escaped);
  }
}

function testOf({ ranges, negated }: Extract<Part, { readonly kind: 'one' }>, ignoreCase: boolean): (code: number) => boolean {
  const isIn = (code: number): boolean => ranges.some(([from, until]) => from <= code && code <= until);
  if (!ignoreCase) return (code) => isIn(code) !== negated;
  return (code) => {
    const char = String.fromCharCode(code);
    return (isIn(code) || isIn(char.toLowerCase().charCodeAt(0)) || isIn(char.toUpperCase().charCodeAt(0))) !== negated;
  };
}

/** The steps of a pattern. Each leads to the next one, and a split to its alternatives. */
function stepsOf(whole: Part, ignoreCase: boolean): readonly Step[] {
  const steps: Step[] = [];
  const add = (step: Step): void => {
    if (steps.length >= mostSteps) throw new RangeError(`it is too large: its repetitions make more than ${mostSteps} steps`);
    steps.push(step);
  };
  const split = (): number[] => {
    const ways: number[] = [];
    add({ kind: 'split', ways });
    return ways;
  };
  const emit = (part: Part): void => {
    if (part.kind === 'one') add({ kind: 'one', has: testOf(part, ignoreCase) });
    else if (part.kind === 'at') add(part);
    else if (part.kind === 'row') for (const one of part.parts) emit(one);
    else if (part.kind === 'either') {
      const ends: number[][] = [];
      const ways = split();
      for (const one of part.parts) {
        ways.push(steps.length);
        emit(one);
        ends.push(split());
      }
      for (const end of ends) end.push(steps.length);
    } else repeat(part);
  };
  const repeat = ({ part, least, most }: Extract<Part, { readonly kind: 'repeat' }>): void => {
    for (let time = 0; time < least; time += 1) emit(part);
    if (!Number.isFinite(most)) {
      const again = steps.length;
      const ways = split();
      ways.push(steps.length);
      emit(part);
      split().push(again);
      ways.push(steps.length);
      return;
    }
    const ends: number[][] = [];
    for (let time = least; time < most; time += 1) {
      const ways = split();
      ways.push(steps.length);
      ends.push(ways);
      emit(part);
    }
    for (const ways of ends) ways.push(steps.length);
  };
  emit(whole);
  add({ kind: 'match' });
  return steps;
}

/** The automaton's possible positions, before the next character is known. */
interface State {
  readonly at: readonly number[];
  readonly first: boolean;
  readonly afterWord: boolean;
  readonly next: (State | 'matched' | undefined)[];
  endsWell?: boolean;
}

const end = -1;

function isWord(code: number): boolean {
  return words.some(([from, until]) => from <= code && code <= until);
}

function automatonOf(
  part: Part,
  { ignoreCase, anywhere }: { readonly ignoreCase: boolean; readonly anywhere: boolean },
): LinearPattern {
  const steps = stepsOf(part, ignoreCase);
  const states = new Map<string, State>();
  let start: State | undefined;
  const stateOf = (at: readonly number[], first: boolean, afterWord: boolean): State => {
    const key = `${first ? 'f' : ''}${afterWord ? 'w' : ''}${at.join(',')}`;
    const known = states.get(key);
    if (known) return known;
    if (states.size >= mostStates) {
      states.clear();
      // Otherwise it would keep all states that it leads to in memory.
      start = undefined;
    }
    const state: State = { at, first, afterWord, next: [] };
    states.set(key, state);
    return state;
  };
  /** All steps that wait for a character, or `matched`. */
  const reached = ({ at, first, afterWord }: State, code: number): readonly number[] | 'matched' => {
    const beforeWord = code !== end && isWord(code);
    const seen = new Set<number>();
    const open = [...at];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      const step = steps[place];
      if (seen.has(place) || !step) continue;
      seen.add(place);
      if (step.kind === 'match') return 'matched';
      if (step.kind === 'split') open.push(...step.ways);
      else if (step.kind === 'at') {
        const holds =
          step.where === 'start'
            ? first
            : step.where === 'end'
              ? code === end
              : (afterWord !== beforeWord) === (step.where === 'word');
        if (holds) open.push(place + 1);
      }
    }
    return [...seen];
  };
  const after = (state: State, code: number): State | 'matched' => {
    const places = reached(state, code);
    if (places === 'matched') return 'matched';
    const next = new Set<number>(anywhere ? [0] : []);
    for (const place of places) {
      const step = steps[place];
      if (step?.kind === 'one' && step.has(code)) next.add(place + 1);
    }
    return stateOf(
      [...next].sort((a, b) => a - b),
      false,
      isWord(code),
    );
  };
  const matches = (text: string): boolean => {
    start ??= stateOf([0], true, false);
    let state = start;
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      let next = state.next[code];
      if (next === undefined) {
        next = after(state, code);
        if (code < remembered) state.next[code] = next;
      }
      if (next === 'matched') return true;
      if (next.at.length === 0) return false;
      state = next;
    }
    state.endsWell ??= reached(state, end) === 'matched';
    return state.endsWell;
  };
  return { matches };
}
