import { scripts } from '../package.json';

export const program = 'dist/main.js';

/** What `npm start` gives node. */
export const productionOptions: readonly string[] = scripts.start
  .split(' ')
  .filter((word) => word.startsWith('--'));
