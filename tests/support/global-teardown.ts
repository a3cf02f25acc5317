/** Stops what global-setup.ts started; its data go with it. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.testStack?.kill();
}
