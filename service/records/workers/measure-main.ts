/** A thread that counts records for `measurePeriod`. */
import { type AskedChains, type MeasuredChains, measureChains } from './measure-chains.ts';
import { answerRequests } from './records-thread.ts';

await answerRequests<AskedChains, MeasuredChains>((given) => (asked) => measureChains(asked, given));
