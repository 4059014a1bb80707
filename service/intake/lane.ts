/** Lets so many calls run at once; the others wait in the order in which they came. */
export class Lane {
  readonly #places: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.#places) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#taken += 1;
    try {
      return await call();
    } finally {
      // The place is handed on, never free in between: nobody overtakes.
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }
}
