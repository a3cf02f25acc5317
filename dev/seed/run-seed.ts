import { runTool } from '../../src/tools/run-tool';
import { createSeedTool } from './seed-tool';

/** `npm run seed`: made-up users for the database that the environment names. */
void runTool(createSeedTool(process.env), process).then((code) => process.exit(code));
