/** The part of semver that the tests use; it brings no types. */
declare module 'semver' {
  export function satisfies(version: string, range: string): boolean;
}
