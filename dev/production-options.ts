import { scripts } from '../package.json';

export const program = 'dist/main.js';

/** What `npm start` gives node. */
export const productionOptions: readonly string[] = optionsOf(scripts.start.split(' ').slice(1));

/** Of node's arguments those that are for node; what stands behind the program is for the program. */
export function optionsOf(args: readonly string[]): readonly string[] {
  return args.slice(0, Math.max(0, args.indexOf(program)));
}
