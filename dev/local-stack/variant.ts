/** Programs in the place of the usual ones, for every server that is started here. */
export interface Variant {
  readonly redisProgram?: string;
  /** A cluster of three in the place of one Redis, on data that are thrown away. */
  readonly isRedisCluster?: boolean;
  /** A folder with the jars of a Kafka. */
  readonly kafkaJars?: string;
  /** A folder with `bin`, `lib` and `share` of a PostgreSQL. */
  readonly postgresFolder?: string;
  /** Stands between PostgreSQL and its clients. */
  readonly pooler?: Pooler;
}

/** A PgBouncer. */
export interface Pooler {
  readonly program: string;
  /** Where the libraries are that the machine may lack. */
  readonly libraries: string;
  readonly mode: 'session' | 'transaction';
}

/** The environment variable that holds a Variant as JSON: `npm run compat` sets it for the tests it runs. */
export const variantVariable = 'LOCAL_STACK_VARIANT';

/** Of this process; empty for the usual programs. */
export function currentVariant(): Variant {
  return JSON.parse(process.env[variantVariable] ?? '{}') as Variant;
}
