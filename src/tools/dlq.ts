import dotenv from 'dotenv';
import { DLQ_HELP, parseDlqArguments } from './dlq-arguments';
import { runDlq } from './dlq-commands';
import { runTool } from './run-tool';

/** `npm run dlq`: dead letters, for operators. */
dotenv.config({ quiet: true });
void runTool({ help: DLQ_HELP, parse: parseDlqArguments, run: runDlq }, process).then((code) =>
  // A connection that was given up must not keep the process; what was written to stdout is out by now.
  process.exit(code),
);
