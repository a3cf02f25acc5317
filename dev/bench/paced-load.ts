import type { PacedOptions } from './load-options';
import { sendPaced } from './paced-sender';

// A process of its own: its argument is one PacedOptions, its output one PacedResult, both in JSON.
void sendPaced(JSON.parse(process.argv[2] ?? '{}') as PacedOptions).then((result) => {
  console.log(JSON.stringify(result));
});
