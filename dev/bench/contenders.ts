/** What is measured side by side. All have the same validation, headers, log line, limiter and a pool of 20. */
export interface ContenderRecipe {
  readonly name: string;
  readonly title: string;
  /** What node runs, from the checkout. */
  readonly program: string;
  /** Whether a 201 is stored later, by a consumer. */
  readonly isPipeline: boolean;
}

// Compiled, as the service is.
const built = '.local/bench/built/dev/bench/baselines';

export const contenders: readonly ContenderRecipe[] = [
  { name: 'service', title: 'this service', program: 'dist/main.js', isPipeline: true },
  {
    name: 'plain-pipeline',
    title: 'the same pipeline, plainly built',
    program: `${built}/plain-pipeline.js`,
    isPipeline: true,
  },
  {
    name: 'express-insert',
    title: 'Express, INSERT in the handler',
    program: `${built}/express-insert.js`,
    isPipeline: false,
  },
  {
    name: 'fastify-insert',
    title: 'Fastify, INSERT in the handler',
    program: `${built}/fastify-insert.js`,
    isPipeline: false,
  },
];
