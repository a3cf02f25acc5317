import { scripts } from '../package.json';

export const program = 'dist/main.js';

/** The options of node in `npm start`. */
export const productionOptions: readonly string[] = optionsOf(scripts.start.split(' ').slice(1));

/** Of node's arguments those before the program: the ones after it are the program's. */
export function optionsOf(args: readonly string[]): readonly string[] {
  return args.slice(0, Math.max(0, args.indexOf(program)));
}
