/**
 * Does the first of a burst at once, and what comes soon after it together, no more often than `rest` lets it: who waits for one thing hears of it without
 * delay, and a storm costs no more than a steady rate. `rest` calls back when a rest is over; whose clock it goes by, it knows.
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
