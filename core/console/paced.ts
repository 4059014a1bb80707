/**
 * Runs the first call of a burst at once, and later ones combined, no more often than `rest` allows: a single event is delivered without delay, and a storm
 * costs no more than a steady rate. `rest` calls back when a rest is over; it decides which clock to use.
 */
export function paced(act: () => void, rest: (over: () => void) => void): () => void {
  let isResting = false;
  let isWanted = false;
  const begin = (): void => {
    isResting = true;
    isWanted = false;
    rest(() => {
      isResting = false;
      if (isWanted) begin();
    });
    act();
  };
  return () => {
    if (isResting) isWanted = true;
    else begin();
  };
}
