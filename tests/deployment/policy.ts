import type { Manifests } from './manifests';

/** A rule for the manifests of every environment. */
export interface Policy {
  readonly rule: string;
  /** One line for each violation. */
  readonly check: (manifests: Manifests) => string[];
  /** Breaks the rule: check() has to find it. */
  readonly plant: (manifests: Manifests) => void;
  /** The one environment that the rule is for. */
  readonly only?: string;
}
