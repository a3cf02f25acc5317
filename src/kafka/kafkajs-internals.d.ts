/** The parts of kafkajs that kafkajs-patches.ts mends. */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests(): void;
  }
  export = RequestQueue;
}

declare module 'kafkajs/src/protocol/recordBatch/record/v0' {
  function encode(record: object): { readonly buf: Buffer; readonly buffer: Buffer };
  export = encode;
}
