import dotenv from 'dotenv';
import { parseReconcileArguments, RECONCILE_HELP, runReconcile } from './reconcile-command';
import { runTool } from './run-tool';

/** `npm run reconcile`: reservations without a row, for operators. */
dotenv.config({ quiet: true });
void runTool({ help: RECONCILE_HELP, parse: parseReconcileArguments, run: runReconcile }, process).then(
  // A connection that was given up must not keep the process; what was written to stdout is out by now.
  (code) => process.exit(code),
);
