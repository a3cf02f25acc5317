/** The part of kafkajs 2.2.4 that kafkajs-patches.ts mends; kafkajs is pinned to this version. */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests(): void;
  }
  export = RequestQueue;
}

/** The part that kafkajs-record-encoder.ts replaces. */
declare module 'kafkajs/src/protocol/recordBatch/record/v0' {
  function encode(record: object): { readonly buf: Buffer; readonly buffer: Buffer };
  export = encode;
}
