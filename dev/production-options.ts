import { scripts } from '../package.json';

/** What `npm start` gives node. */
export const productionOptions: readonly string[] = scripts.start
  .split(' ')
  .filter((word) => word.startsWith('--'));
